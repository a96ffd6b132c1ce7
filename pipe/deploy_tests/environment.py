"""The environment of a test: the step's, the `DEPLOY_*` variables and AWS credentials."""

from __future__ import annotations

from collections.abc import Mapping

from pipe.settings import Settings

_DEPLOY_VARIABLES = (
    "DEPLOY_TENANT",
    "DEPLOY_TARGETS",
    "DEPLOY_IMAGE",
    "DEPLOY_PREVIOUS_IMAGE",
    "DEPLOY_URL",
)
_ENGINE = frozenset(("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT"))
"""Lead to the step's Docker service, which shows the environment of the pipe's own container."""


def environment(
    settings: Settings, deploy: Mapping[str, str], credentials: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the environment of a test.

    `settings` holds the step's environment without the pipe's secrets. `deploy` holds the run's
    `DEPLOY_*` variables; `credentials` the temporary AWS credentials and region by variable, empty
    without any.
    """
    return {**settings.tests.environment, **credentials, **of_the_run(deploy)}


def of_the_run(deploy: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables of a test that describe the run, all that one in the tenant gets."""
    return {name: deploy.get(name, "") for name in _DEPLOY_VARIABLES}


def without_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a test's processes get: not those of the Docker service."""
    return {name: value for name, value in environment.items() if name not in _ENGINE}
