"""Warn of a portal token that ends soon, from all that is known about it."""

from __future__ import annotations

from collections.abc import Callable
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
    return _reported(fault, variable) if fault else ""


def warn_of_expiry(
    portal: TenantPortal,
    end: TokenEnd | None,
    variable: str,
    now: datetime,
    warn: Callable[[str], None],
) -> None:
    """Warn as `expiry_warning` would, as soon as something else reads the platform's faults."""
    if end and (warning := end.warning(now, variable)):
        warn(warning)
    elif not (end and end.exact):
        portal.faults.on_token_expiry(lambda fault: warn(_reported(fault, variable)))


def _reported(fault: str, variable: str) -> str:
    return (
        f'The platform reports a token that expires: "{fault}". If it is the one in {variable}, '
        "create a new one for the service account in the portal and store it there."
    )
