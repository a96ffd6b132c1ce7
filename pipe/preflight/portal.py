"""Check the portal: connection, token, tenant and targets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from pipe.errors import NotFound
from pipe.identity.establish import Identity, with_token
from pipe.kinds import Drivers
from pipe.kinds.containers import unknown_container
from pipe.model import Snapshot, Target
from pipe.portal import Portal, Tenant, TenantPortal, User, choose
from pipe.portal.connect import connect
from pipe.portal.token_expiry import expiry_warning
from pipe.preflight.checker import Checker
from pipe.preflight.commands import check_commands

log = logging.getLogger(__name__)


def check_portal(
    checker: Checker, identity: Identity | None, open_drivers: Callable[[TenantPortal], Drivers]
) -> TenantPortal | None:
    """Check the portal as far as the token leads; return the tenant, None if it was not found.

    `identity` is None if AWS refused it.
    """
    settings = checker.settings
    if not checker.connection("the portal", settings.host, "DUPLO_HOST"):
        checker.unknown("portal token", "not sent, because the portal cannot be reached")
        return None
    if identity is None and settings.token_secret:
        checker.unknown("portal token", "cannot be read without the AWS identity")
        return None
    portal_identity = _read_token(checker, identity or Identity(settings.token))
    if portal_identity is None:
        return None
    token, end = portal_identity.token, portal_identity.token_end
    portal = connect(settings.host, token, checker.network, settings.token_variable, end)
    tenants = checker.attempt("portal token", portal.tenants.list)
    if tenants is None:
        return None
    _report_user(checker, portal, tenants)
    tenant = checker.attempt("tenant", lambda: choose(tenants, settings.tenant))
    if tenant is None:
        return None
    checker.passed("tenant", f"{tenant.name}, id {tenant.id}")
    tenant_portal = portal.tenant(tenant)
    _report_life(checker, portal_identity, tenant_portal)
    check_commands(checker, tenant_portal, _check_targets(checker, open_drivers(tenant_portal)))
    return tenant_portal


def _read_token(checker: Checker, identity: Identity) -> Identity | None:
    """Return the identity with the token from DUPLO_TOKEN, or from Secrets Manager."""
    settings = checker.settings
    if identity.aws and settings.token_secret:
        url = identity.aws.endpoint("secretsmanager")
        if not checker.connection("Secrets Manager", url, "AWS_DEFAULT_REGION"):
            checker.unknown("portal token", "not read, because Secrets Manager cannot be reached")
            return None
    return checker.attempt("portal token", lambda: with_token(settings, identity))


def _report_life(checker: Checker, identity: Identity, tenant: TenantPortal) -> None:
    """Report when the token ends, as far as anything shows it, with a warning if that is soon."""
    end, now = identity.token_end, checker.network.clock.now()
    warning = expiry_warning(tenant, end, checker.settings.token_variable, now)
    if warning:
        log.warning("%s", warning)
    known = f"ends on {end.shown}" if end else "nothing shows when it ends"
    checker.passed("token life", warning or known)


def _report_user(checker: Checker, portal: Portal, tenants: Sequence[Tenant]) -> None:
    user = checker.attempt("portal user", portal.tenants.user) or User()
    name = user.name or "not named by the portal"
    names = ", ".join(sorted(tenant.name for tenant in tenants)) or "none"
    checker.passed("portal token", f"accepted; user: {name}; tenants: {names}")
    checker.attempt("write access", lambda: portal.tenants.check_writable(user))


def _check_targets(checker: Checker, drivers: Drivers) -> Mapping[Target, Snapshot]:
    """Return the targets that were found."""
    targets = list(dict.fromkeys(request.target for request in checker.settings.image_requests))
    snapshots = checker.attempt("targets", lambda: drivers.read(targets))
    if snapshots is None:
        return {}
    for target, snapshot in snapshots.items():
        images = ", ".join(snapshot.images.values())
        checker.passed(f"{target.kind} {target.name}", f"exists, is set to {images}")
    for request in checker.settings.image_requests:
        now = snapshots.get(request.target)
        if now and (error := unknown_container(now, request.container)):
            checker.failed(f"container {now.shown(request.container)}", error)
    for target in targets:
        if target not in snapshots:
            _report_missing(checker, target, drivers)
    return snapshots


def _report_missing(checker: Checker, target: Target, drivers: Drivers) -> None:
    names = checker.attempt("targets", lambda: tuple(drivers.names(target.kind))) or ()
    variable = checker.settings.targets_variable
    error = NotFound.named(target.kind.capabilities.noun, variable, target.name, names)
    checker.failed(f"{target.kind} {target.name}", error)
