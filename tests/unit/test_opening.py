"""The first request to the portal, before the rest of a run exists."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.errors import IdentityError
from pipe.portal.opening import OpenedPortal, open_early
from pipe.portal.tenants import Tenant
from pipe.settings import load
from tests.support.environment import environment

ROLE = {
    "AWS_OIDC_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "BITBUCKET_STEP_OIDC_TOKEN": "a.b.c",
}


class Portal:
    """A portal whose list of tenants is an answer or an error."""

    def __init__(self, answer: BaseException | None) -> None:
        self.answer = answer
        self.tenants = self
        self.requests = 0

    def list(self) -> tuple[Tenant, ...]:
        self.requests += 1
        if self.answer:
            raise self.answer
        return (Tenant("id-1", "dev01"),)


@pytest.mark.parametrize("error", [IdentityError("no", "fix"), KeyboardInterrupt(), OSError("x")])
def test_what_prevents_the_list_is_raised_when_the_tenant_is_needed(error: BaseException) -> None:
    """Not before: the run that reports it is not built yet."""
    opened = OpenedPortal(Portal(error))  # type: ignore[arg-type]
    with pytest.raises(type(error)) as raised:
        opened.tenant("dev01")
    assert raised.value is error


def test_the_list_is_requested_once() -> None:
    portal = Portal(None)
    opened = OpenedPortal(portal)  # type: ignore[arg-type]
    assert opened.tenant("DEV01") == opened.tenant("id-1")
    assert portal.requests == 1


@pytest.mark.parametrize(
    "variables",
    [{"ACTION": "check"}, ROLE, {**ROLE, "DUPLO_TOKEN_SECRET": "deploy/token", "DUPLO_TOKEN": ""}],
)
def test_nothing_is_requested_before_what_has_to_come_first(variables: dict[str, Any]) -> None:
    """A role comes before the portal, and the preflight checks have an order of their own."""
    settings = load(environment("http://127.0.0.1:1", "portal-token-0123456789", **variables))
    network: object = None
    assert open_early(settings, network) is None  # type: ignore[arg-type]
