"""What a test sees of the run: the `DEPLOY_*` variables and a role's credentials in."""

from __future__ import annotations

from collections.abc import Mapping

from pipe.settings import Settings

_HANDED_IN = (
    "DEPLOY_TENANT",
    "DEPLOY_TARGETS",
    "DEPLOY_IMAGE",
    "DEPLOY_PREVIOUS_IMAGE",
    "DEPLOY_URL",
)


def environment(
    settings: Settings, deploy: Mapping[str, str], credentials: Mapping[str, str]
) -> Mapping[str, str]:
    """The environment of a test.

    The settings have left the pipe's own secrets out of what the step has. `deploy` are the
    `DEPLOY_*` variables of the run; `credentials` are those of the role it assumed, temporary
    ones and their region, by variable: empty when there is no role.
    """
    handed_in = {name: deploy.get(name, "") for name in _HANDED_IN}
    return {**settings.tests.environment, **credentials, **handed_in}
