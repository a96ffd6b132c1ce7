"""The way to an address: through which proxy, over which TLS, to whose certificate."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from pipe.http import Limits, Network
from pipe.http.diagnosis import explain
from pipe.http.session import proxy_for, tls_context
from pipe.preflight.result import CheckResult, bad, good, unknown

_SECONDS = 10.0


@dataclass(frozen=True)
class Handshake:
    """What a TLS connection agreed on, and who answered."""

    version: str
    cipher: str
    subject: str
    issuer: str
    until: str


def reach(name: str, url: str, setting: str, network: Network) -> CheckResult:
    """Open one connection to `url` and tell what is at its end; `setting` gave the address."""
    parts = urlsplit(url)
    topic = f"connection to {name}"
    proxy = proxy_for(url, network.proxies)
    through = f"through the proxy {_shown(proxy)}" if proxy else "directly"
    if urlsplit(proxy).scheme == "https":
        return unknown(topic, f"{parts.netloc} goes {through}; TLS inside TLS is not looked into")
    try:
        shaken = _connect(url, proxy, network.ca_cert)
    except OSError as error:
        return bad(topic, explain(_named(error, proxy), url, setting, Limits(connect=_SECONDS)))
    if shaken is None:
        return good(topic, f"{parts.netloc} reached {through}, without TLS")
    trusted = "the usual authorities" + (" and CA_CERT" if network.ca_cert else "")
    return good(
        topic,
        f"{parts.netloc} reached {through}; {shaken.version}, {shaken.cipher}; certificate of "
        f"{shaken.subject}, issued by {shaken.issuer}, valid until {shaken.until}, verified "
        f"against {trusted}",
    )


def _connect(url: str, proxy: str, ca_cert: str) -> Handshake | None:
    connection = _prepare(url, proxy, ca_cert)
    try:
        connection.connect()
        if not isinstance(connection.sock, ssl.SSLSocket):
            return None
        certificate: Mapping[str, Any] = connection.sock.getpeercert() or {}
        cipher = connection.sock.cipher()
        return Handshake(
            version=connection.sock.version() or "TLS",
            cipher=cipher[0] if cipher else "an unknown cipher",
            subject=_alternatives(certificate) or _name(certificate.get("subject", ())),
            issuer=_name(certificate.get("issuer", ())),
            until=str(certificate.get("notAfter", "an unknown date")),
        )
    finally:
        connection.close()


def _prepare(url: str, proxy: str, ca_cert: str) -> http.client.HTTPConnection:
    """A connection that is not open yet; for https a proxy only passes bytes on."""
    parts, way = urlsplit(url), urlsplit(proxy)
    secure = parts.scheme == "https"
    end = (parts.hostname or "", parts.port or (443 if secure else 80))
    host, port = (way.hostname or "", way.port or 80) if proxy else end
    if not secure:
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    connection = http.client.HTTPSConnection(
        host, port, timeout=_SECONDS, context=tls_context(ca_cert)
    )
    if proxy:
        connection.set_tunnel(*end, headers=_proxy_user(way.username, way.password))
    return connection


def _proxy_user(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _named(error: OSError, proxy: str) -> Exception:
    """With a proxy in between, trouble other than the certificate's is the proxy's."""
    if proxy and not isinstance(error, ssl.SSLError):
        return requests.exceptions.ProxyError(error)
    if isinstance(error, TimeoutError):
        return requests.ConnectTimeout(error)
    return error


def _shown(proxy: str) -> str:
    """The proxy without user and password."""
    parts = urlsplit(proxy)
    return f"{parts.hostname}:{parts.port or 80}"


def _name(parts: Sequence[Sequence[Sequence[str]]]) -> str:
    """A distinguished name's most telling part."""
    named = {key: value for part in parts for key, value in part}
    for key in ("commonName", "organizationalUnitName", "organizationName"):
        if key in named:
            return f'"{named[key]}"'
    return "nobody it names"


def _alternatives(certificate: Mapping[str, Any]) -> str:
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
