"""`ACTION: deploy`, and `ACTION: rollback`, which differs only in where the images come from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from pipe import output
from pipe.actions.base import BaseAction
from pipe.deploy import previous_run
from pipe.deploy.sequence import Deploy
from pipe.deploy_tests import DeployTests
from pipe.identity.establish import Identity, establish
from pipe.kinds import open_drivers
from pipe.portal import choose, connect
from pipe.registry.login import logins
from pipe.registry.lookup import registry_lookup
from pipe.registry.verification import ImageVerifier

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
        portal = connect(settings.host, identity.token, network, settings.token_variable)
        tenant = choose(portal.tenants.list(), settings.tenant)
        log.info("Tenant %s", tenant.name)
        registry_of = registry_lookup(settings, identity, network, run.mask)
        verifier = ImageVerifier(settings.image_rules, registry_of)
        run.recorder.verified(verifier.results)
        self._deploy = Deploy(
            settings=settings,
            previous_run=replace(
                previous_run.find(settings, identity.token),
                user=lambda: portal.tenants.user().name,
            ),
            drivers=open_drivers(portal.tenant(tenant), run.dependencies.clock),
            clock=run.dependencies.clock,
            recorder=run.recorder,
            resolve=verifier.resolve,
            tests=self._tests(identity),
            save=run.save,
            notify_started=run.notify_started,
            log_defect=partial(output.defect, run.mask),
        )
        return self._deploy.run()

    def has_changed(self) -> bool:
        """See `BaseAction`."""
        return self._deploy is not None and self._deploy.has_changed

    def what_runs_now(self) -> str:
        """See `BaseAction`."""
        return self._deploy.what_runs_now() if self._deploy else super().what_runs_now()

    def _tests(self, identity: Identity) -> DeployTests:
        run = self._run
        return DeployTests(
            run.settings,
            run.dependencies.runner,
            run.dependencies.clock,
            run.recorder.tested,
            run.mask.text,
            credentials=self._credentials(identity),
            login=logins(run.settings, identity, run.mask),
            adapter=run.dependencies.adapter,
            resolve=run.dependencies.resolve,
        )

    def _credentials(self, identity: Identity) -> Mapping[str, str]:
        """Return the role's temporary credentials as variables for tests, empty without a role."""
        if identity.role is None:
            return {}
        keys, region = identity.role.keys, self._run.settings.aws.region
        return {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key.reveal(),
            "AWS_SESSION_TOKEN": keys.session_token.reveal(),
            **({"AWS_DEFAULT_REGION": region, "AWS_REGION": region} if region else {}),
        }
