"""A request that is sent before the libraries that read its response are loaded.

Loading them takes longer than everything else before the first request, and sending it needs no
more than a socket. They send the same request later, over a connection that adopts this socket
(`pipe.http.adoption`). So limits, retries, redirects and messages are the ordinary client's, and
the request is sent once.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipe.http.tls import tls_context

SECONDS = 3.0
"""For a connection, and for its handshake; the ordinary client is more patient."""


@dataclass
class SentRequest:
    """The bytes of a request, and the socket they were sent over until it is taken."""

    host: str
    port: int
    is_tls: bool
    data: bytes
    sock: socket.socket | None

    def take(self, host: str, port: int, *, is_tls: bool) -> socket.socket | None:
        """Return the socket once, for a connection to the same place."""
        if (host, port, is_tls) != (self.host, self.port, self.is_tls):
            return None
        taken, self.sock = self.sock, None
        return taken

    def close(self) -> None:
        """Close the socket if nothing took it."""
        if self.sock:
            self.sock.close()


def send(base: str, path: str, headers: Mapping[str, str], ca_cert: str) -> SentRequest | None:
    """Send a GET without waiting for its response.

    Returns None after any failure: the ordinary client meets it again and explains it.
    """
    parts = urlsplit(base)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    usual_port = 443 if is_tls else 80
    port = parts.port or usual_port
    # The forms of a host that libraries would rewrite.
    if not host.isascii() or host.endswith(".") or "%" in host:
        return None
    place = f"[{host}]" if ":" in host else host
    place += "" if port == usual_port else f":{port}"
    lines = [f"GET /{path} HTTP/1.1", f"Host: {place}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    try:
        data = "\r\n".join([*lines, "", ""]).encode("ascii")
        return SentRequest(host, port, is_tls, data, _sent(host, port, is_tls, ca_cert, data))
    except (OSError, ValueError):
        return None


def _sent(host: str, port: int, is_tls: bool, ca_cert: str, data: bytes) -> socket.socket:
    """Return the socket over which `data` was sent."""
    sock = socket.create_connection((host, port), SECONDS)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_tls:
            sock = tls_context(ca_cert).wrap_socket(sock, server_hostname=host)
        sock.sendall(data)
    except BaseException:
        sock.close()
        raise
    return sock
