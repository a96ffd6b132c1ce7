"""From exceptions of the network libraries to errors that people can act on."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from pipe.errors import Unreachable
from pipe.http.certificate import CertificateSummary, look
from pipe.http.limits import BodyTooLarge, Limits, ResponseTooSlow

# OpenSSL's codes (X509_V_ERR_*): not valid yet, expired; host or address mismatch.
_OUT_OF_TIME = (9, 10)
_OTHER_NAME = (62, 64)
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A handshake that broke may work the next time; one that found no common ground will not."""
_CLEAR_NO = re.compile(r"Tunnel connection failed: 4\d\d")


def explain(
    error: Exception, base: str, setting: str, limits: Limits, proxy: str = ""
) -> Unreachable:
    """The error to raise for `error`, which a request to `base` through `proxy` ended with.

    `setting` is the variable that holds the address. A certificate that is not trusted is
    looked at once more, for what it says.
    """
    host = urlsplit(base).netloc
    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            parts = urlsplit(base)
            shown = look(parts.hostname or "", parts.port or 443, proxy, limits.connect)
            return _bad_certificate(host, setting, cause, shown)
    if isinstance(error, requests.exceptions.ProxyError):
        return _bad_proxy(host, causes)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return _no_such_host(host, setting, cause)
        if isinstance(cause, ssl.SSLError):
            return _no_tls(host, setting, cause)
        if isinstance(cause, ConnectionRefusedError):
            return Unreachable(
                f"{host} refuses the connection: nothing listens there.",
                _check_address(setting),
                may_have_applied=False,
            )
    return _broken(error, host, setting, limits)


def _broken(error: Exception, host: str, setting: str, limits: Limits) -> Unreachable:
    if isinstance(error, requests.ConnectTimeout):
        return Unreachable(
            f"{host} does not answer: no connection within {limits.connect:g} s.",
            _check_address(setting),
            may_have_applied=False,
        )
    if isinstance(error, ResponseTooSlow):
        return Unreachable(
            f"{host} began to answer and was not done within {limits.whole:g} s.",
            _ask_operators(setting),
        )
    if isinstance(error, (requests.Timeout, urllib3.exceptions.ReadTimeoutError)):
        return Unreachable(
            f"{host} took the request and stayed silent for {limits.read:g} s.",
            _ask_operators(setting),
        )
    if isinstance(error, BodyTooLarge):
        return Unreachable(
            f"{host} sent an answer of more than {limits.body >> 20} MB; expected far less.",
            f"Check that {setting} is the right address.",
            retryable=False,
        )
    if isinstance(error, requests.ConnectionError) and _never_connected(error):
        return Unreachable(
            f"There is no way to {host}: {_innermost(error)}.",
            _check_address(setting),
            may_have_applied=False,
        )
    return Unreachable(
        f"The connection to {host} broke before the answer was complete.", _ask_operators(setting)
    )


def _bad_certificate(
    host: str, setting: str, cause: ssl.SSLCertVerificationError, shown: CertificateSummary | None
) -> Unreachable:
    reason = (cause.verify_message or cause.reason or "it cannot be verified").rstrip(".")
    facts = f" {shown}." if shown else ""
    return Unreachable(
        f"The certificate of {host} is not trusted: {reason}.{facts}",
        _certificate_remedy(host, setting, cause.verify_code, shown),
        may_have_applied=False,
        retryable=False,
    )


def _certificate_remedy(
    host: str, setting: str, code: int, shown: CertificateSummary | None
) -> str:
    if code in _OUT_OF_TIME:
        return (
            f"Have whoever runs {host} renew it, or set the clock of this machine; "
            "no variable of the pipe helps here."
        )
    if code in _OTHER_NAME:
        return f"Give {setting} one of the names that the certificate is for."
    whose = "this certificate" if shown and shown.self_signed else "the issuer's certificate"
    return (
        f"If your network or portal uses certificates of its own, give {whose} as CA_CERT (PEM "
        f"text, or a path in the clone folder); otherwise check {setting}."
    )


def _no_tls(host: str, setting: str, cause: ssl.SSLError) -> Unreachable:
    return Unreachable(
        f"{host} does not speak TLS 1.2 or newer with us: {cause.reason or cause}.",
        f"Check scheme and port in {setting}.",
        may_have_applied=False,
        retryable=isinstance(cause, _BROKEN_OFF),
    )


def _no_such_host(host: str, setting: str, cause: socket.gaierror) -> Unreachable:
    return Unreachable(
        f"The name {host} is not known to DNS ({cause.strerror}).",
        f"Check the spelling of {setting}, and that this machine can resolve it.",
        may_have_applied=False,
        retryable=cause.errno == socket.EAI_AGAIN,
    )


def _bad_proxy(host: str, causes: list[BaseException]) -> Unreachable:
    return Unreachable(
        f"The proxy does not let us through to {host}: {_one_line(causes[-1])}.",
        "Check HTTPS_PROXY (address, user, password), or exempt the host in NO_PROXY.",
        may_have_applied=False,
        retryable=not any(_CLEAR_NO.search(str(cause)) for cause in causes),
    )


def _ask_operators(setting: str) -> str:
    return (
        "Run the step again; if it stays, ask whoever runs the host in "
        f"{setting} and what stands before it (proxy, load balancer)."
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
    """The error and everything it was caused by; urllib3 keeps causes in `reason` and `args`."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None)]
        waiting += current.args


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
