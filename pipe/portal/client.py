"""The portal's resources inside one tenant."""

from __future__ import annotations

from pipe.clock import Deadline
from pipe.portal.cronjobs import CronJobs
from pipe.portal.ecs import Ecs
from pipe.portal.faults import Faults
from pipe.portal.functions import Functions
from pipe.portal.pace import GRACE
from pipe.portal.pods import Pods
from pipe.portal.scope import Scope
from pipe.portal.services import Services


class TenantPortal:
    """The portal inside one tenant, with one attribute for each resource.

    The API of a resource needs nothing but `scope`, so a new one can be opened from outside,
    for example `Jobs(portal.scope)`, without an attribute here.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.tenant = scope.tenant
        self.services = Services(scope)
        self.pods = Pods(scope)
        self.faults = Faults(scope)
        self.ecs = Ecs(scope)
        self.functions = Functions(scope)
        self.cronjobs = CronJobs(scope)

    def until(self, deadline: Deadline, grace: float = GRACE) -> TenantPortal:
        """Return the same portal with the calls of `Calls.until`, sharing what was learned."""
        return TenantPortal(self.scope.until(deadline, grace))

    def within(self, seconds: float) -> TenantPortal:
        """Return the same portal with the calls of `Calls.within`."""
        return TenantPortal(self.scope.within(seconds))
