"""The portal as a whole, whose list of tenants is the first request of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe.portal.calls import Calls
from pipe.portal.tenants import Tenant, Tenants

if TYPE_CHECKING:
    # Loaded after the first request, see pipe.loading.
    from pipe.portal.client import TenantPortal


class Portal:
    """The portal as a whole."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.tenants = Tenants(calls)

    def tenant(self, tenant: Tenant) -> TenantPortal:
        """Return the portal inside one tenant."""
        from pipe.portal.client import TenantPortal  # noqa: PLC0415 - see above
        from pipe.portal.scope import Scope  # noqa: PLC0415

        return TenantPortal(Scope(self._calls, tenant))
