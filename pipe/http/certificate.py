"""What a server's certificate says, read without trusting it, to explain why it is not trusted.

This is the one place where verification is off. The connection carries a handshake and nothing
else: no request, no token; it is closed as soon as the certificate is there. Python decodes
only certificates that it has verified, hence the few fields of DER (X.690) read here.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

_SEQUENCE, _OID, _OCTETS, _UTC_TIME, _TIME = 0x30, 0x06, 0x04, 0x17, 0x18
_VERSION, _EXTENSIONS, _DNS, _IP = 0xA0, 0xA3, 0x82, 0x87
_COMMON_NAME, _ORGANISATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")
_LONGEST = 80
_MOST_NAMES = 5

Field = tuple[int, bytes]


@dataclass(frozen=True)
class CertificateSummary:
    """Who a certificate is about, who vouches for it, how long, and for which names."""

    subject: str
    issuer: str
    since: datetime
    until: datetime
    names: tuple[str, ...]
    self_signed: bool

    def __str__(self) -> str:
        listed = ", ".join(self.names[:_MOST_NAMES]) or "no names"
        rest = f" and {len(self.names) - _MOST_NAMES} more" if len(self.names) > _MOST_NAMES else ""
        by = "issued by itself" if self.self_signed else f'issued by "{self.issuer}"'
        return (
            f'It is "{self.subject}", {by}, valid from {self.since:%Y-%m-%d %H:%M} '
            f"until {self.until:%Y-%m-%d %H:%M} UTC, for {listed}{rest}"
        )


def look(host: str, port: int, proxy: str, seconds: float) -> CertificateSummary | None:
    """The certificate that `host` shows, through `proxy` where one is given; None if none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        connection = _connection(host, port, proxy, context, seconds)
        with contextlib.closing(connection):
            connection.connect()
            socket = connection.sock
            shown = (
                socket.getpeercert(binary_form=True) if isinstance(socket, ssl.SSLSocket) else b""
            )
        return decode(shown or b"")
    except (OSError, http.client.HTTPException, ValueError):
        return None


def decode(der: bytes) -> CertificateSummary:
    """The facts of one certificate; raises `ValueError` when it is none."""
    try:
        body = list(_fields(_content(_content(der, _SEQUENCE), _SEQUENCE)))
        if body[0][0] == _VERSION:
            del body[0]
        # Serial number and algorithm come before, the public key and the extensions after.
        issuer, validity, subject = body[2][1], body[3][1], body[4][1]
        since, until = (_moment(field) for field in _fields(validity))
        names = [name for tag, value in body if tag == _EXTENSIONS for name in _names(value)]
        return CertificateSummary(
            _person(subject), _person(issuer), since, until, tuple(names), subject == issuer
        )
    except IndexError as error:
        raise ValueError(str(error)) from None


def _connection(
    host: str, port: int, proxy: str, context: ssl.SSLContext, seconds: float
) -> http.client.HTTPSConnection:
    if not proxy:
        return http.client.HTTPSConnection(host, port, context=context, timeout=seconds)
    parts = urlsplit(proxy)
    if parts.scheme != "http":
        message = "a handshake within a handshake is left to the real connection"
        raise ValueError(message)
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 80, context=context, timeout=seconds
    )
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    connection.set_tunnel(host, port, headers)
    return connection


def _fields(data: bytes) -> Iterator[Field]:
    """The fields of a constructed value: tag and content of each."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(data[at : at + count]), at + count
        if at + length > len(data):
            message = "a field is cut off"
            raise ValueError(message)
        yield tag, data[at : at + length]
        at += length


def _content(data: bytes, tag: int) -> bytes:
    found, content = next(_fields(data), (-1, b""))
    if found != tag:
        message = "not a certificate"
        raise ValueError(message)
    return content


def _person(name: bytes) -> str:
    """The common name of a distinguished name, else the organisation."""
    found = {}
    for _, group in _fields(name):
        for _, pair in _fields(group):
            (_, key), (_, value) = list(_fields(pair))[:2]
            found[key] = value.decode("utf-8", "replace")
    text = found.get(_COMMON_NAME) or found.get(_ORGANISATION) or "nobody"
    return _shown(text)


def _moment(field: Field) -> datetime:
    tag, value = field
    text = value.decode("ascii", "replace").removesuffix("Z")
    if tag == _UTC_TIME:
        # Two digits for the year: up to 49 they belong to this century (RFC 5280, 4.1.2.5.1).
        text = f"{'20' if text[:2] < '50' else '19'}{text}"
    elif tag != _TIME:
        message = "no time where one is due"
        raise ValueError(message)
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _names(extensions: bytes) -> Iterator[str]:
    for _, extension in _fields(_content(extensions, _SEQUENCE)):
        parts = list(_fields(extension))
        if parts[0] == (_OID, _ALTERNATIVE_NAMES) and parts[-1][0] == _OCTETS:
            for tag, value in _fields(_content(parts[-1][1], _SEQUENCE)):
                if tag == _DNS:
                    yield _shown(value.decode("ascii", "replace"))
                elif tag == _IP:
                    yield str(ipaddress.ip_address(value))


def _shown(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return printable if len(printable) <= _LONGEST else f"{printable[:_LONGEST]}..."
