"""Details of an untrusted certificate, for the error message.

Python decodes only verified certificates: the first handshake fetches the certificate unverified,
the second trusts exactly this one, whatever its dates and names. Neither sends a request. Not shown
are certificates that OpenSSL rejects even so (weak key, not for servers), those behind a proxy that
uses TLS itself, and those of servers with a different one for each connection.
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from pipe.http.tunnel import tls_connection
from pipe.secret import cut

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module does not define."""
_HOST_NAMES = ("DNS", "IP Address")
_LONGEST = 80
_MOST_NAMES = 5


@dataclass(frozen=True)
class CertificateSummary:
    """Subject, issuer, validity and host names as a sentence without its full stop."""

    text: str
    self_signed: bool


def fetch_certificate(
    host: str, port: int, proxy: str, seconds: float
) -> CertificateSummary | None:
    """Return a summary of the certificate that `host` presents, None when it cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _handshake(tls_connection(host, port, proxy, context, seconds)) as tls:
            context.load_verify_locations(cadata=tls.getpeercert(binary_form=True))
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        with _handshake(tls_connection(host, port, proxy, context, seconds)) as tls:
            return _summarise(cast("dict[str, Any]", tls.getpeercert()))
    except (OSError, http.client.HTTPException, ValueError):
        return None


@contextlib.contextmanager
def _handshake(connection: http.client.HTTPSConnection) -> Iterator[ssl.SSLSocket]:
    with contextlib.closing(connection):
        connection.connect()
        yield cast("ssl.SSLSocket", connection.sock)


def _summarise(certificate: dict[str, Any]) -> CertificateSummary:
    subject, issuer = certificate["subject"], certificate["issuer"]
    alternatives = certificate.get("subjectAltName", ())
    names = [_printable(name) for kind, name in alternatives if kind in _HOST_NAMES]
    listed = ", ".join(names[:_MOST_NAMES]) or "no names"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    signer = "self-signed" if subject == issuer else f'issued by "{_name(issuer)}"'
    return CertificateSummary(
        f'It is "{_name(subject)}", {signer}, valid from {_date(certificate["notBefore"])} until '
        f"{_date(certificate['notAfter'])} UTC, for {listed}{more}",
        subject == issuer,
    )


def _name(distinguished_name: Sequence[Sequence[tuple[str, str]]]) -> str:
    """Return the common name, else the organisation."""
    parts = dict(pair for group in distinguished_name for pair in group)
    return _printable(parts.get("commonName") or parts.get("organizationName") or "unnamed")


def _date(text: str) -> str:
    return f"{datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC):%Y-%m-%d %H:%M}"


def _printable(text: str) -> str:
    line = "".join(char if char.isprintable() else " " for char in text)
    return cut(line, _LONGEST)
