"""Translate exceptions of the network libraries into errors with a diagnosis and a remedy."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from pipe.errors import Unreachable
from pipe.http.certificate import CertificateSummary, fetch_certificate
from pipe.http.failures import BodyTooLarge, ResponseTooSlow
from pipe.http.limits import Limits
from pipe.http.tunnel import proxy_address
from pipe.secret import cut

# OpenSSL's codes (X509_V_ERR_*): not valid yet, expired; host or address mismatch.
_OUTSIDE_VALIDITY = (9, 10)
_NAME_MISMATCH = (62, 64)
_BROKEN_HANDSHAKE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A broken handshake may succeed later, unlike one without a common version or cipher."""
_NOT_REACHED = (
    ConnectionRefusedError,
    socket.gaierror,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
)
"""What fails before a proxy gets to read anything."""
_REFUSED_BY_PROXY = re.compile(r"Tunnel connection failed: 4\d\d")


def explain(
    error: Exception, base: str, setting: str, limits: Limits, proxy: str = ""
) -> Unreachable:
    """Return the error to raise for `error`, with which a request to `base` failed.

    `setting` is the variable that holds the address, `proxy` the proxy's address if there is one.
    An untrusted certificate is fetched once more for its details.
    """
    host = urlsplit(base).netloc
    causes = list(_chain(error))
    if slow := next((one for one in causes if isinstance(one, ResponseTooSlow)), None):
        return _broken(slow, host, setting, limits)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            parts = urlsplit(base)
            summary = fetch_certificate(
                parts.hostname or "", parts.port or 443, proxy, limits.connect
            )
            return _untrusted(host, setting, cause, summary)
    if isinstance(error, requests.exceptions.ProxyError):
        return _proxy_failed(host, proxy, causes)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return _not_resolved(host, setting, cause)
        if isinstance(cause, ssl.SSLError):
            return _no_tls(host, setting, cause)
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(
                f"{host} refused the connection: nothing is listening there.",
                _check_address(setting),
                may_have_applied=False,
            )
    return _broken(error, host, setting, limits)


def _broken(error: Exception, host: str, setting: str, limits: Limits) -> Unreachable:
    if isinstance(error, requests.ConnectTimeout):
        return Unreachable(
            f"{host} did not respond: no connection within {limits.connect:g} s.",
            _check_address(setting),
            may_have_applied=False,
        )
    if isinstance(error, ResponseTooSlow):
        return Unreachable(
            f"{host} began to respond and did not finish within {limits.whole:g} s.",
            _ask_operators(setting),
        )
    if isinstance(error, (requests.Timeout, urllib3.exceptions.ReadTimeoutError)):
        return Unreachable(
            f"{host} accepted the request and did not respond for {limits.read:g} s.",
            _ask_operators(setting),
        )
    if isinstance(error, BodyTooLarge):
        return Unreachable(
            f"{host} sent a response of more than {limits.body >> 20} MB; expected far less.",
            f"Check that {setting} is the right address.",
            retryable=False,
        )
    if isinstance(error, requests.ConnectionError) and _never_connected(error):
        return Unreachable(
            f"{host} cannot be reached: {_innermost(error)}.",
            _check_address(setting),
            may_have_applied=False,
        )
    return Unreachable(
        f"The connection to {host} broke before the response was complete.", _ask_operators(setting)
    )


def _untrusted(
    host: str,
    setting: str,
    cause: ssl.SSLCertVerificationError,
    summary: CertificateSummary | None,
) -> Unreachable:
    reason = (cause.verify_message or cause.reason or "it cannot be verified").rstrip(".")
    details = f" {summary.text}." if summary else ""
    return Unreachable(
        f"The certificate of {host} is not trusted: {reason}.{details}",
        _certificate_remedy(host, setting, cause.verify_code, summary),
        may_have_applied=False,
        retryable=False,
    )


def _certificate_remedy(
    host: str, setting: str, code: int, summary: CertificateSummary | None
) -> str:
    if code in _OUTSIDE_VALIDITY:
        return (
            f"Have the operators of {host} renew it, or set the clock of this machine; "
            "no variable of the pipe helps."
        )
    if code in _NAME_MISMATCH:
        return f"Set {setting} to one of the names in the certificate."
    needed = "this certificate" if summary and summary.self_signed else "the issuer's certificate"
    return (
        f"If your network or portal uses its own authority, give {needed} as CA_CERT (PEM "
        f"text, or a path in the clone folder); otherwise check {setting}."
    )


def _no_tls(host: str, setting: str, cause: ssl.SSLError) -> Unreachable:
    return Unreachable(
        f"{host} did not agree on TLS 1.2 or newer: {cause.reason or cause}.",
        f"Check scheme and port in {setting}.",
        may_have_applied=False,
        retryable=isinstance(cause, _BROKEN_HANDSHAKE),
    )


def _not_resolved(host: str, setting: str, cause: socket.gaierror) -> Unreachable:
    return Unreachable(
        f"The host name {host} cannot be resolved ({cause.strerror}).",
        f"Check the spelling of {setting}, and that the DNS server of this machine knows it.",
        may_have_applied=False,
        retryable=cause.errno == socket.EAI_AGAIN,
    )


def _proxy_failed(host: str, proxy: str, causes: list[BaseException]) -> Unreachable:
    name = proxy_address(proxy) or "in HTTPS_PROXY"
    remedy = "Check HTTPS_PROXY (address, user, password), or exempt the host in NO_PROXY."
    tunnel = any("Tunnel connection failed" in str(cause) for cause in causes)
    if not tunnel and any(isinstance(cause, _NOT_REACHED) for cause in causes):
        return Unreachable(
            f"The proxy {name} cannot be reached: {_innermost(causes[0])}.",
            remedy,
            may_have_applied=False,
        )
    return Unreachable(
        f"The proxy {name} did not connect to {host}: {_one_line(causes[-1])}.",
        remedy,
        may_have_applied=False,
        retryable=not any(_REFUSED_BY_PROXY.search(str(cause)) for cause in causes),
    )


def _ask_operators(setting: str) -> str:
    return (
        f"Run the step again; if it persists, ask the operators of the host in {setting} and of "
        "the proxy or load balancer in front of it."
    )


def _check_address(setting: str) -> str:
    return f"Check {setting}, and that this machine may connect to it (HTTPS_PROXY, firewall)."


def _never_connected(error: BaseException) -> bool:
    early = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return any(isinstance(cause, early) for cause in _chain(error))


def _innermost(error: BaseException) -> str:
    for cause in reversed(list(_chain(error))):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return "the connection fails"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes; urllib3 keeps some in `reason` and `args`."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None)]
        queue += current.args


def _one_line(error: BaseException) -> str:
    return cut(" ".join(str(error).split()), 200) or type(error).__name__
