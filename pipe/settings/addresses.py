"""Parsers of addresses: the portal, proxies, webhooks and what POST_DEPLOY_URL probes."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, unquote, urlsplit

from pipe.hosts import LOCAL_HOSTS
from pipe.secret import Secret
from pipe.settings.parsers import LONGEST_NAME, short

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_PATH = re.compile(r"[\w/.~-]*", re.ASCII)
_LONGEST_LABEL = 63
"""Characters between two dots of a host name, as DNS allows."""
_SHORTEST_PATH = 12
"""Shorter webhook paths hold no secret, and masking them would garble the log."""


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


def proxy_password(value: str) -> str:
    """Return the password in a proxy's address, empty if there is none."""
    try:
        return unquote(urlsplit(value if "://" in value else f"//{value}").password or "")
    except ValueError:
        return ""


def probe(value: str) -> str:
    """Return an http(s) URL, or a path that begins with a slash."""
    if not value.isprintable() or " " in value:
        message = "contains spaces or line breaks, which no address has"
        raise ValueError(message)
    if value.startswith("/") and not value.startswith("//"):
        return value
    parts = _split(value)
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


def webhook_path(value: str) -> str:
    """Return the secret part of a webhook's address, empty if there is nothing worth masking."""
    try:
        path = urlsplit(value).path.strip("/")
    except ValueError:
        return ""
    return path if len(path) >= _SHORTEST_PATH else ""


def _split(value: str) -> SplitResult:
    # Text before an @ may be a password.
    message = f'is not a valid address: "{short(value.rpartition("@")[2])}"'
    if not value.isprintable():  # urlsplit silently drops line breaks
        raise ValueError(message)
    try:
        parts = urlsplit(value)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(message) from None
    if not port_is_valid or not _is_host(parts.hostname or ""):
        raise ValueError(message)
    return parts


def _is_host(name: str) -> bool:
    """Return whether `name` is an IPv6 address or fits into DNS."""
    if ":" in name:
        try:
            return bool(ipaddress.IPv6Address(name))
        except ValueError:
            return False
    labels = name.removesuffix(".").split(".")
    return len(name) <= LONGEST_NAME and all(
        len(label) <= _LONGEST_LABEL and _LABEL.fullmatch(label) for label in labels
    )
