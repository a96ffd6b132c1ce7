"""Which redirects of a probed address are followed."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def same_host(url: str, other: str) -> bool:
    """Return whether both addresses name the same host, on any port."""
    return _host(url) == _host(other)


def refusal(url: str, target: str) -> str:
    """Return why a redirect of `url` to `target` is not followed, empty if it is.

    The application chooses the target. On another host it has to be public: the
    pipe reaches addresses inside the step's network that the application may not reach itself.
    """
    if urlsplit(target).scheme not in ("http", "https"):
        return "which is not http"
    if not same_host(url, target) and not _is_public(_host(target)):
        return "an internal address of another host"
    return ""


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _is_public(host: str) -> bool:
    """Return whether every address of the host is public, or it has none to connect to."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        # The request fails with the reason, or a proxy resolves the name.
        return True
    return all(_is_global(str(address[0])) for *_, address in found)


def _is_global(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded:
            return embedded.is_global
    return address.is_global and not address.is_multicast
