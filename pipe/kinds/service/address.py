"""The address at which users reach a service, as far as the portal knows it."""

from __future__ import annotations

from pipe.portal import Listener, Service

_NOT_PUBLIC = (2, 3, 4, 7)
"""Listener types without access from outside: health check only, cluster IP, node port, group."""
_NETWORK = 6


def listener(service: Service) -> Listener | None:
    """Return the listener that users reach, HTTPS before HTTP, None if there is no public one."""
    usable = [entry for entry in service.listeners if _is_public_http(entry)]
    return min(usable, key=lambda entry: (not entry.secure, entry.port), default=None)


def address(service: Service, entry: Listener, load_balancer: str = "") -> str:
    """Return scheme, host and port, empty when the host is unknown.

    `load_balancer` is its DNS name, used last because certificates are not issued for it.
    """
    host = next((name for name in (*service.hosts, entry.host, load_balancer) if name), "")
    if not host:
        return ""
    scheme, usual = ("https", 443) if entry.secure else ("http", 80)
    return f"{scheme}://{host}" + (f":{entry.port}" if entry.port not in (0, usual) else "")


def _is_public_http(entry: Listener) -> bool:
    if entry.kind in _NOT_PUBLIC or entry.internal:
        return False
    if entry.protocol in ("http", "https"):
        return True
    # A certificate on a network load balancer's listener nearly always means HTTPS behind it.
    return entry.kind == _NETWORK and entry.protocol == "tls" and entry.secure
