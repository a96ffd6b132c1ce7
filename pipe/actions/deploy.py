"""`ACTION: deploy`, and `ACTION: rollback`, which differs only in where the images come from."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from pipe import kubernetes, output
from pipe.actions.base import BaseAction
from pipe.actions.session import Session, conceal, open_session, warn
from pipe.deploy import previous_run
from pipe.deploy.release import ReleaseCommand
from pipe.deploy.sequence import Deploy
from pipe.deploy_tests import DeployTests, StepRunner
from pipe.identity.establish import Identity, variables_for_tests
from pipe.kinds import ClusterView, open_drivers
from pipe.portal import TenantPortal
from pipe.registry.login import logins
from pipe.registry.platform_check import PlatformCheck
from pipe.settings import KubernetesView


class DeployAction(BaseAction):
    """See `BaseAction`."""

    _deploy: Deploy | None = None

    def execute(self) -> str:
        """See `BaseAction`."""
        session = open_session(self._run)
        self._deploy = self._sequence(session)
        return self._deploy.run()

    def _sequence(self, session: Session) -> Deploy:
        run, settings = self._run, self._run.settings
        portal, identity = session.portal, session.identity
        return Deploy(
            settings=settings,
            previous_run=replace(
                previous_run.find(settings, identity.token),
                user=lambda: portal.tenants.user().name,
            ),
            drivers=open_drivers(
                session.tenant, run.dependencies.clock, self._cluster_view(session.tenant)
            ),
            clock=run.dependencies.clock,
            recorder=run.recorder,
            resolve=session.verifier.resolve,
            tests=self._tests(identity),
            release=ReleaseCommand(settings, session.commands, run.recorder.tested),
            save=run.save,
            notify_started=run.notify_started,
            log_defect=partial(output.defect, run.mask),
            conceal=partial(conceal, run),
            check_platforms=PlatformCheck(settings, session.registry_of, partial(warn, run)).check,
        )

    def _cluster_view(self, tenant: TenantPortal) -> ClusterView | None:
        """Return the view of Kubernetes, which requests nothing before it is needed."""
        run = self._run
        if run.settings.kubernetes is KubernetesView.NEVER:
            return None
        is_required = run.settings.kubernetes is KubernetesView.ALWAYS
        connect_cluster = partial(kubernetes.connect, tenant, run.network, run.mask)
        return ClusterView(connect_cluster, run.dependencies.clock, is_required=is_required)

    def has_changed(self) -> bool:
        """See `BaseAction`."""
        return self._deploy is not None and self._deploy.has_changed

    def clean_up(self) -> None:
        """See `BaseAction`."""
        if self._deploy:
            self._deploy.clean_up()

    def what_runs_now(self) -> str:
        """See `BaseAction`."""
        return self._deploy.what_runs_now() if self._deploy else super().what_runs_now()

    def _tests(self, identity: Identity) -> DeployTests:
        run = self._run
        return DeployTests(
            run.settings,
            run.dependencies.runner or StepRunner(),
            run.dependencies.clock,
            run.recorder.tested,
            run.mask.text,
            credentials=partial(variables_for_tests, run.settings, identity),
            login=logins(run.settings, identity, run.mask),
            adapter=run.dependencies.adapter,
            resolve=run.dependencies.resolve,
        )
