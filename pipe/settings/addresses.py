"""Parsers of addresses: the portal, proxies, webhooks and what POST_DEPLOY_URL probes."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, unquote, urlsplit

from pipe.hosts import LOCAL_HOSTS
from pipe.secret import Secret
from pipe.settings.parsers import LONGEST_NAME, short

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_PRIVATE_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
"""With underscores, as in the names of services within a network."""
_PATH = re.compile(r"[\w/.~-]*", re.ASCII)
_LONGEST_LABEL = 63
"""Characters between two dots of a host name, as DNS allows."""
_SHORTEST_PART = 12
"""Shorter parts of a webhook hold no secret, and masking them would garble the log."""


def portal(value: str) -> str:
    """Return scheme, host and port; any other part of the address is dropped."""
    parts = _split(value if "://" in value else f"https://{value}")
    if parts.scheme not in ("http", "https"):
        message = f'must begin with https://, not "{short(parts.scheme)}://"'
        raise ValueError(message)
    if parts.username is not None:
        message = "must not contain a user name or password; the token belongs in DUPLO_TOKEN"
        raise ValueError(message)
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in LOCAL_HOSTS:
        message = (
            f"must begin with https://: plain http would send the token to {host} in clear text"
        )
        raise ValueError(message)
    bracketed = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{bracketed}" + (f":{parts.port}" if parts.port else "")


def aws_endpoint(value: str) -> str:
    """Return the address of an AWS service: https, or http on this machine, and maybe a path."""
    parts = _split(value)
    if parts.scheme not in ("http", "https") or parts.username is not None:
        message = "must begin with https:// and contain no user name or password"
        raise ValueError(message)
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        message = (
            "must begin with https://: plain http would send credentials to "
            f"{parts.hostname} in clear text"
        )
        raise ValueError(message)
    if parts.query or parts.fragment or "%" in parts.netloc or not _PATH.fullmatch(parts.path):
        message = "must be an address without a query, a fragment and encoded characters"
        raise ValueError(message)
    return value


def proxy(value: str) -> str:
    """Return a proxy's address, with http:// if no scheme is given."""
    parts = _split(value if "://" in value else f"http://{value}")
    if parts.scheme not in ("http", "https"):
        message = f'must be an http:// proxy, not "{short(parts.scheme)}://"'
        raise ValueError(message)
    return parts.geturl()


def proxy_secrets(value: str) -> tuple[str, ...]:
    """Return the password in a proxy's address, as it is written there and decoded."""
    authority = value.partition("://")[2] or value
    # A password may contain characters that should have been encoded, and that end the host.
    logins = {authority.rpartition("@")[0], authority.partition("/")[0].rpartition("@")[0]}
    passwords = [login.partition(":")[2] for login in logins]
    return tuple(form for one in passwords for form in (one, unquote(one)) if form)


def probe(value: str) -> str:
    """Return an http(s) URL, or a path that begins with a slash.

    An international host name is returned as DNS spells it: xn--bcher-kva.example.
    """
    if not value.isprintable() or " " in value:
        message = "contains spaces or line breaks, which no address has"
        raise ValueError(message)
    if value.startswith("/") and not value.startswith("//"):
        return value
    value = _with_ascii_host(value)
    parts = _split(value, _PRIVATE_LABEL)
    if parts.scheme not in ("http", "https") or parts.username is not None:
        message = (
            "must be a path such as /health, or an address that begins with https:// or http:// "
            "and contains no password"
        )
        raise ValueError(message)
    return value


def webhook(value: str) -> Secret:
    """Return the address of a webhook, which is secret as a whole."""
    try:
        parts = urlsplit(value)
        valid = parts.port is None or parts.port > 0
    except ValueError:
        valid = False
    if not valid or parts.scheme not in ("http", "https") or not parts.hostname:
        message = "must be the complete address of the webhook, beginning with https://"
        raise ValueError(message)
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        message = "must begin with https://: plain http would expose it on the network"
        raise ValueError(message)
    return Secret(value)


def webhook_secrets(value: str) -> tuple[str, ...]:
    """Return the parts of a webhook's address that are worth masking: path, query and login."""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ()
    login = parts.netloc.rpartition("@")[0]
    user, _, password = login.partition(":")
    path = parts.path.strip("/")
    parameters = [part.partition("=")[2] for part in parts.query.split("&")]
    long = [path, *path.split("/"), parts.query, *parameters, user]
    found = [password, login, *(part for part in long if len(part) >= _SHORTEST_PART)]
    return tuple(form for one in found for form in (one, unquote(one)) if form)


def _with_ascii_host(value: str) -> str:
    """Return an address with its host name in IDNA, or as it is where that is impossible."""
    if value.isascii() or "@" in value:
        return value
    import requests  # noqa: PLC0415 - see pipe.loading

    try:
        parts = urlsplit(value)
        encoded = urlsplit(requests.Request("GET", value).prepare().url or "")
        return parts._replace(netloc=encoded.netloc).geturl()
    except (requests.RequestException, ValueError):
        return value


def _split(value: str, label: re.Pattern[str] = _LABEL) -> SplitResult:
    # Text before an @ may be a password.
    message = f'is not a valid address: "{short(value.rpartition("@")[2])}"'
    if not value.isprintable():  # urlsplit silently drops line breaks
        raise ValueError(message)
    try:
        parts = urlsplit(value)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(message) from None
    if not port_is_valid or not _is_host(parts.hostname or "", label):
        raise ValueError(message)
    return parts


def _is_host(name: str, label: re.Pattern[str]) -> bool:
    """Return whether `name` is an IPv6 address, or fits into DNS with such labels."""
    if ":" in name:
        try:
            return bool(ipaddress.IPv6Address(name))
        except ValueError:
            return False
    labels = name.removesuffix(".").split(".")
    return len(name) <= LONGEST_NAME and all(
        len(one) <= _LONGEST_LABEL and label.fullmatch(one) for one in labels
    )
