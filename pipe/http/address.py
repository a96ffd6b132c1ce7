"""Addresses that a server names: in redirects, challenges and links."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

LONGEST = 4096
"""Longer addresses and header values are not parsed."""


def parse(address: str, base: str = "") -> SplitResult:
    """Return the parts of an absolute address, or of one relative to `base`.

    Raises `ValueError` unless it is an http or https address that a request can be sent to.
    """
    if len(address) > LONGEST:
        raise ValueError("an address that is too long")
    parts = urlsplit(urljoin(base, address))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http address")
    _ = parts.port  # raises `ValueError` unless it is one
    return parts


def target(address: str) -> str:
    """Return host and port of the address in a redirect, for a message; empty for none."""
    try:
        return parse(address).netloc
    except ValueError:
        return ""
