"""Which redirects of a probed address are followed."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from pipe.http.resolver import Resolve

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def same_host(url: str, other: str) -> bool:
    """Return whether both addresses name the same host, on any port."""
    return _host(url) == _host(other)


def refusal(url: str, target: str, resolve: Resolve) -> str:
    """Return why a redirect of `url` to `target` is not followed, empty if it is.

    The application chooses the target. On another host it has to be public: the
    pipe reaches addresses inside the step's network that the application may not reach itself.
    """
    if urlsplit(target).scheme not in ("http", "https"):
        return "which is not http"
    if same_host(url, target):
        return ""
    try:
        addresses = resolve(_host(target))
    except TimeoutError:
        return "whose name DNS does not resolve in time"
    except (OSError, UnicodeError):
        # The request fails with the reason, or a proxy resolves the name.
        return ""
    return "" if _are_public(addresses) else "an internal address of another host"


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _are_public(addresses: Sequence[str]) -> bool:
    return all(map(_is_global, addresses))


def _is_global(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded:
            return embedded.is_global
    return address.is_global and not address.is_multicast
