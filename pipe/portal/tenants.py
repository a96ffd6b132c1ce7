"""Tenants, and the user that a token belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipe.errors import NotFound, Refused
from pipe.portal.calls import NO_ROUTE, Calls
from pipe.portal.fields import listed, text
from pipe.portal.first_request import PATH


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant that the token may use."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class User:
    """The user that a token belongs to; `read_only` in every tenant."""

    name: str = ""
    read_only: bool = False


class Tenants:
    """The portal's API for tenants."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> tuple[Tenant, ...]:
        """Return the tenants the token may use; the cheapest proof that the token is valid.

        Raises `IdentityError` when the portal refuses the token.
        """
        reply = self._calls.read(PATH)
        if reply.status in (403, 404):
            # Some tokens may read this list only (an assumption of the API's own clients).
            reply = self._calls.read("adminproxy/GetTenantNames")
        if reply.status == 403:
            raise self._calls.refusals.token(reply)
        if reply.status == 404:
            raise Refused(
                f"{self._calls.host} has no list of tenants, so it is not the portal.",
                "Check DUPLO_HOST.",
            )
        return self._calls.decode(reply, "the list of tenants", decode_tenants)

    def user(self) -> User:
        """Return the token's user, without a name when the portal does not report one."""
        reply = self._calls.read("admin/GetUserRoleInfo", final=(*NO_ROUTE, 500))
        try:
            return decode_user(reply.json()) if reply.ok else User()
        except ValueError:
            return User()

    def check_writable(self, user: User) -> None:
        """Raise `Refused` for a user whose first write the portal would refuse."""
        if user.read_only:
            raise self._calls.refusals.permission("its user may only read")


def choose(tenants: Sequence[Tenant], wanted: str) -> Tenant:
    """Return the tenant with this name or id, in any letter case; raise `NotFound`."""
    folded = wanted.casefold()
    for tenant in tenants:
        if folded in (tenant.name.casefold(), tenant.id.casefold()):
            return tenant
    raise NotFound.named("tenant", "TENANT", wanted, [tenant.name for tenant in tenants])


def decode_tenants(body: Any) -> tuple[Tenant, ...]:
    """Decode `GetTenantsForUser` and `GetTenantNames`."""
    tenants = (Tenant(text(item, "TenantId"), text(item, "AccountName")) for item in listed(body))
    return tuple(tenant for tenant in tenants if tenant.id and tenant.name)


def decode_user(body: Any) -> User:
    """Decode `GetUserRoleInfo`, reading nothing else of it: it also holds a session token."""
    if not isinstance(body, dict):
        return User()
    return User(text(body, "Username"), body.get("IsReadOnly") is True)
