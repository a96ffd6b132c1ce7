"""Check the connection to an address: proxy, TLS and certificate."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from pipe.http import Limits, Network
from pipe.http.diagnosis import explain
from pipe.http.session import proxy_for
from pipe.http.tls import tls_context
from pipe.http.tunnel import proxy_address, tls_connection
from pipe.preflight.result import CheckResult, failed, passed, unknown

_SECONDS = 10.0


@dataclass(frozen=True)
class Handshake:
    """The TLS parameters agreed on, and the server's certificate."""

    version: str
    cipher: str
    subject: str
    issuer: str
    until: str

    def __str__(self) -> str:
        return (
            f"{self.version}, {self.cipher}; certificate of {self.subject}, "
            f"issued by {self.issuer}, valid until {self.until}"
        )


@dataclass(frozen=True)
class Trust:
    """What the certificate of a host is verified against: a TLS context, and its name."""

    context: ssl.SSLContext
    name: str


def check_connection(
    name: str,
    url: str,
    setting: str,
    network: Network,
    *,
    trust: Trust | None = None,
    seconds: float = _SECONDS,
) -> CheckResult:
    """Open one connection to `url`, which comes from the variable `setting`.

    `trust` replaces the authorities that apply to every other host.
    """
    trust = trust or _usual_trust(network)
    parts = urlsplit(url)
    check = f"connection to {name}"
    proxy = proxy_for(url, network.proxies)
    through = f"through the proxy {proxy_address(proxy)}" if proxy else "directly"
    if urlsplit(proxy).scheme == "https":
        return unknown(check, f"{parts.netloc} is reached {through}; TLS in TLS is not checked")
    try:
        handshake = _connect(_prepare(url, proxy, trust.context, seconds))
    except (OSError, http.client.HTTPException) as error:
        limits = Limits(connect=seconds)
        return failed(check, explain(_classified(error, proxy), url, setting, limits, proxy))
    if handshake is None:
        return passed(check, f"{parts.netloc} reached {through}, without TLS")
    return passed(
        check,
        f"{parts.netloc} reached {through}; {handshake}, verified against {trust.name}",
    )


def _usual_trust(network: Network) -> Trust:
    name = "the default authorities" + (" and CA_CERT" if network.ca_cert else "")
    return Trust(tls_context(network.ca_cert), name)


def _connect(connection: http.client.HTTPConnection) -> Handshake | None:
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


def _prepare(
    url: str, proxy: str, context: ssl.SSLContext, seconds: float
) -> http.client.HTTPConnection:
    """Return an unopened connection; for https a proxy only forwards bytes."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return tls_connection(parts.hostname or "", parts.port or 443, proxy, context, seconds)
    first = urlsplit(proxy or url)
    return http.client.HTTPConnection(first.hostname or "", first.port or 80, timeout=seconds)


def _classified(error: Exception, proxy: str) -> Exception:
    """Return the error that `explain` knows: behind a proxy, all but TLS errors are the proxy's."""
    if proxy and not isinstance(error, ssl.SSLError):
        return requests.exceptions.ProxyError(error)
    if isinstance(error, TimeoutError):
        return requests.ConnectTimeout(error)
    return error


def _name(parts: Sequence[Sequence[Sequence[str]]]) -> str:
    """Return the most specific part of a distinguished name."""
    by_key = {key: value for part in parts for key, value in part}
    for key in ("commonName", "organizationalUnitName", "organizationName"):
        if key in by_key:
            return f'"{by_key[key]}"'
    return "an unnamed entity"


def _alternatives(certificate: Mapping[str, Any]) -> str:
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
