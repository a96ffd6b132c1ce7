"""From settings to the portal, and to the tenant in it."""

from __future__ import annotations

from collections.abc import Sequence

from pipe.errors import NotFound
from pipe.http import HttpClient, Network
from pipe.portal.calls import BearerAuth
from pipe.portal.client import Portal
from pipe.portal.model import Tenant
from pipe.secret import Secret


def connect(host: str, token: Secret, network: Network) -> Portal:
    """The portal at this address, asked with this token."""
    session = network.session(host)
    session.auth = BearerAuth(token)
    return Portal(HttpClient(host, session, network.clock, setting="DUPLO_HOST"))


def choose(tenants: Sequence[Tenant], wanted: str) -> Tenant:
    """The tenant with that name, in any case, or that id; raises `NotFound`."""
    folded = wanted.casefold()
    for tenant in tenants:
        if folded in (tenant.name.casefold(), tenant.id.casefold()):
            return tenant
    raise NotFound.named("tenant", "TENANT", wanted, [tenant.name for tenant in tenants])
