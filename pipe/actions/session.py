"""Opening the portal with the identity of a run, as every action does that uses a target."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from pipe import kubernetes
from pipe.actions.base import Run
from pipe.deploy.tenant_commands import TenantCommands
from pipe.identity.establish import Identity, establish, with_portal_keys
from pipe.identity.token_life import TokenEnd
from pipe.image import Image
from pipe.jobs import TenantRunner, open_runner
from pipe.kind import Kind
from pipe.portal import Portal, TenantPortal
from pipe.portal.aws_credentials import tenant_keys
from pipe.portal.opening import open_portal
from pipe.portal.token_expiry import expiry_warning, warn_of_expiry
from pipe.registry.base import Registry
from pipe.registry.lookup import registry_lookup
from pipe.registry.verification import ImageVerifier
from pipe.secret import Secret
from pipe.settings import Action
from pipe.settings.configuration import maskable, public_texts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """The portal and the tenant, opened with the identity of a run.

    `registry_of` and `verifier` look images up, `commands` runs commands inside the tenant.
    """

    identity: Identity
    portal: Portal
    tenant: TenantPortal
    registry_of: Callable[[Image], Registry]
    verifier: ImageVerifier
    commands: TenantCommands


def open_session(run: Run) -> Session:
    """Establish the identity and find the tenant; raises the error of the first refusal."""
    settings, network = run.settings, run.network
    identity = establish(settings, network, run.mask)
    run.recorder.token = identity.token
    end = identity.token_end
    opened = run.opened or open_portal(settings, network, identity.token, end)
    portal = opened.portal
    tenant = portal.tenant(opened.tenant(settings.tenant))
    log.info("Tenant %s", tenant.tenant.name)
    _warn_of_expiry(run, tenant, end)
    keys = tenant_keys(tenant, run.dependencies.clock, run.mask)
    identity = with_portal_keys(settings, identity, keys, network, run.mask)
    registry_of = registry_lookup(settings, identity, network, run.mask)
    verifier = ImageVerifier(settings.image_rules, registry_of)
    run.recorder.verified(verifier.results)
    commands = TenantCommands(_tenant_runner(run, tenant))
    return Session(identity, portal, tenant, registry_of, verifier, commands)


def _warn_of_expiry(run: Run, tenant: TenantPortal, end: TokenEnd | None) -> None:
    """Warn once if the portal token ends soon."""
    settings, now = run.settings, run.dependencies.clock.now()
    kinds = {request.target.kind for request in settings.image_requests}
    follows = settings.wait and not settings.dry_run and settings.action is not Action.RUN
    if follows and Kind.SERVICE in kinds:
        # Services are not followed without their faults, which are read soon.
        warn_of_expiry(tenant, end, settings.token_variable, now, partial(warn, run))
    elif warning := expiry_warning(tenant, end, settings.token_variable, now):
        warn(run, warning)


def _tenant_runner(run: Run, tenant: TenantPortal) -> TenantRunner:
    if replaced := run.dependencies.tenant_runner:
        return replaced
    connect = partial(kubernetes.connect, tenant, run.network, run.mask)
    return open_runner(tenant, run.dependencies.clock, run.settings, run.mask.text, connect)


def conceal(run: Run, values: Iterable[Secret]) -> None:
    """Mask values of a target's environment in all output."""
    for value in maskable(values, public_texts(run.settings)):
        run.mask.add(value)


def warn(run: Run, warning: str) -> None:
    """Log a warning, and note it in the record."""
    log.warning("%s", warning)
    run.recorder.warned(warning)
