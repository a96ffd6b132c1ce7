"""The order of the preflight checks; those that depend on a failed one are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipe.http import Network
from pipe.kinds import Drivers
from pipe.portal import TenantPortal
from pipe.preflight.checker import Checker
from pipe.preflight.identity import add_portal_keys, check_identity
from pipe.preflight.images import check_images
from pipe.preflight.kubernetes import check_kubernetes
from pipe.preflight.portal import check_portal
from pipe.preflight.result import CheckResult
from pipe.secret import Mask
from pipe.settings import Settings


@dataclass(frozen=True)
class Preflight:
    """All checks, once; `report` receives each result as soon as it is known.

    `open_drivers` returns the drivers that read the targets of a tenant.
    """

    settings: Settings
    network: Network
    mask: Mask
    open_drivers: Callable[[TenantPortal], Drivers]
    report: Callable[[CheckResult], None]

    def run(self) -> None:
        """Make every check; a failed one does not end the others."""
        checker = Checker(self.settings, self.network, self.mask, self.report)
        requests = ", ".join(
            f"{request.target} to {request.image}" for request in self.settings.image_requests
        )
        checker.passed("variables", f"complete and valid; {self.settings.tenant}: {requests}")
        identity = check_identity(checker)
        tenant = check_portal(checker, identity, self.open_drivers)
        if tenant and identity:
            identity = add_portal_keys(checker, identity, tenant)
        if tenant:
            check_kubernetes(checker, tenant)
        check_images(checker, identity)
