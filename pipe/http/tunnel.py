"""TLS connections without a request, directly or through a proxy."""

from __future__ import annotations

import base64
import http.client
import ssl
from urllib.parse import unquote, urlsplit


def proxy_address(proxy: str) -> str:
    """Return host and port of a proxy, without its password; empty for none."""
    return urlsplit(proxy).netloc.rpartition("@")[2]


def tls_connection(
    host: str, port: int, proxy: str, context: ssl.SSLContext, seconds: float
) -> http.client.HTTPSConnection:
    """Return an unopened connection to `host`; raise `ValueError` for a proxy that uses TLS."""
    if not proxy:
        return http.client.HTTPSConnection(host, port, context=context, timeout=seconds)
    parts = urlsplit(proxy)
    if parts.scheme != "http":
        message = f"TLS to a proxy is not supported here: {parts.scheme}://{parts.hostname}"
        raise ValueError(message)
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 80, context=context, timeout=seconds
    )
    connection.set_tunnel(host, port, headers)
    return connection
