"""`ACTION: deploy`, and `ACTION: rollback`, which differs only in where the images come from."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from pipe import kubernetes, output
from pipe.actions.base import BaseAction
from pipe.deploy import previous_run
from pipe.deploy.sequence import Deploy
from pipe.deploy_tests import DeployTests
from pipe.identity.establish import Identity, establish, variables_for_tests, with_portal_keys
from pipe.kind import Kind
from pipe.kinds import ClusterView, open_drivers
from pipe.portal import TenantPortal, choose, connect
from pipe.portal.aws_credentials import tenant_keys
from pipe.portal.token_expiry import expiry_warning, warn_of_expiry
from pipe.registry.login import logins
from pipe.registry.lookup import registry_lookup
from pipe.registry.platform_check import PlatformCheck
from pipe.registry.verification import ImageVerifier
from pipe.secret import Secret
from pipe.settings import KubernetesView
from pipe.settings.configuration import maskable, public_texts

log = logging.getLogger(__name__)


class DeployAction(BaseAction):
    """See `BaseAction`."""

    _deploy: Deploy | None = None

    def execute(self) -> str:
        """See `BaseAction`."""
        run = self._run
        settings, network = run.settings, run.network
        identity = establish(settings, network, run.mask)
        run.recorder.token = identity.token
        variable, end = settings.token_variable, identity.token_end
        portal = connect(settings.host, identity.token, network, variable, end)
        tenant = portal.tenant(choose(portal.tenants.list(), settings.tenant))
        log.info("Tenant %s", tenant.tenant.name)
        self._warn_of_expiry(identity, tenant)
        keys = tenant_keys(tenant, run.dependencies.clock, run.mask)
        identity = with_portal_keys(settings, identity, keys, network, run.mask)
        registry_of = registry_lookup(settings, identity, network, run.mask)
        verifier = ImageVerifier(settings.image_rules, registry_of)
        run.recorder.verified(verifier.results)
        self._deploy = Deploy(
            settings=settings,
            previous_run=replace(
                previous_run.find(settings, identity.token),
                user=lambda: portal.tenants.user().name,
            ),
            drivers=open_drivers(tenant, run.dependencies.clock, self._cluster_view(tenant)),
            clock=run.dependencies.clock,
            recorder=run.recorder,
            resolve=verifier.resolve,
            tests=self._tests(identity),
            save=run.save,
            notify_started=run.notify_started,
            log_defect=partial(output.defect, run.mask),
            conceal=self._conceal,
            check_platforms=PlatformCheck(settings, registry_of, self._warn).check,
        )
        return self._deploy.run()

    def _cluster_view(self, tenant: TenantPortal) -> ClusterView | None:
        """Return the view of Kubernetes, which requests nothing before it is needed."""
        run = self._run
        if run.settings.kubernetes is KubernetesView.NEVER:
            return None
        is_required = run.settings.kubernetes is KubernetesView.ALWAYS
        connect_cluster = partial(kubernetes.connect, tenant, run.network, run.mask)
        return ClusterView(connect_cluster, run.dependencies.clock, is_required=is_required)

    def _warn_of_expiry(self, identity: Identity, tenant: TenantPortal) -> None:
        """Warn once if the portal token ends soon."""
        settings, end = self._run.settings, identity.token_end
        variable, now = settings.token_variable, self._run.dependencies.clock.now()
        kinds = {request.target.kind for request in settings.image_requests}
        if settings.wait and not settings.dry_run and Kind.SERVICE in kinds:
            # Services are not followed without their faults, which are read soon.
            warn_of_expiry(tenant, end, variable, now, self._warn)
        elif warning := expiry_warning(tenant, end, variable, now):
            self._warn(warning)

    def _warn(self, warning: str) -> None:
        log.warning("%s", warning)
        self._run.recorder.warned(warning)

    def has_changed(self) -> bool:
        """See `BaseAction`."""
        return self._deploy is not None and self._deploy.has_changed

    def what_runs_now(self) -> str:
        """See `BaseAction`."""
        return self._deploy.what_runs_now() if self._deploy else super().what_runs_now()

    def _conceal(self, values: Iterable[Secret]) -> None:
        for value in maskable(values, public_texts(self._run.settings)):
            self._run.mask.add(value)

    def _tests(self, identity: Identity) -> DeployTests:
        run = self._run
        return DeployTests(
            run.settings,
            run.dependencies.runner,
            run.dependencies.clock,
            run.recorder.tested,
            run.mask.text,
            credentials=partial(variables_for_tests, run.settings, identity),
            login=logins(run.settings, identity, run.mask),
            adapter=run.dependencies.adapter,
            resolve=run.dependencies.resolve,
        )
