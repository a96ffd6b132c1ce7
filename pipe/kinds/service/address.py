"""Where a service can be reached from outside, as far as the portal knows."""

from __future__ import annotations

from pipe.portal import Listener, Service

_NOT_PUBLIC = (2, 3, 4, 7)
"""Listener types that nobody outside can use: health check only, cluster IP, node port, group."""
_NETWORK = 6


def listener(service: Service) -> Listener | None:
    """The listener that people use, https before http; None when none speaks HTTP outside."""
    usable = [entry for entry in service.listeners if _speaks_http(entry)]
    return min(usable, key=lambda entry: (not entry.secure, entry.port), default=None)


def address(service: Service, entry: Listener, load_balancer: str = "") -> str:
    """Scheme, host and port; empty when the host is not known.

    `load_balancer` is its raw name, the last resort: certificates do not bear it.
    """
    host = next((name for name in (*service.hosts, entry.host, load_balancer) if name), "")
    if not host:
        return ""
    scheme, usual = ("https", 443) if entry.secure else ("http", 80)
    return f"{scheme}://{host}" + (f":{entry.port}" if entry.port not in (0, usual) else "")


def _speaks_http(entry: Listener) -> bool:
    if entry.kind in _NOT_PUBLIC or entry.internal:
        return False
    if entry.protocol in ("http", "https"):
        return True
    # A certificate on a network load balancer's listener nearly always means https behind it.
    return entry.kind == _NETWORK and entry.protocol == "tls" and entry.secure
