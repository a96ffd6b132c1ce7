"""Warn of a portal token that ends soon, from all that is known about it."""

from __future__ import annotations

from datetime import datetime

from pipe.identity.token_life import TokenEnd
from pipe.portal.client import TenantPortal


def expiry_warning(portal: TenantPortal, end: TokenEnd | None, variable: str, now: datetime) -> str:
    """Return the warning for a token that ends within 30 days, empty for any other.

    The platform's own faults are read unless the token states its end.
    """
    warning = end.warning(now, variable) if end else ""
    if warning or (end and end.exact):
        return warning
    fault = portal.faults.token_expiry()
    if not fault:
        return ""
    return (
        f'The platform reports a token that expires: "{fault}". If it is the one in {variable}, '
        "create a new one for the service account in the portal and store it there."
    )
