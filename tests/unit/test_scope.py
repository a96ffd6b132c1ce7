"""The scope that every resource of a tenant is opened with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from pipe.clock import Deadline
from pipe.errors import Refused
from pipe.http import HttpClient
from pipe.portal import Tenant
from pipe.portal.calls import Calls
from pipe.portal.client import TenantPortal
from pipe.portal.scope import Scope
from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock at zero."""
    return FakeClock()


@pytest.fixture
def portal(clock: FakeClock) -> TenantPortal:
    """Return a portal that nothing is sent to."""
    http = HttpClient("https://portal.invalid", requests.Session(), clock, setting="DUPLO_HOST")
    return TenantPortal(Scope(Calls(http, "DUPLO_TOKEN"), Tenant("id-1", "dev01")))


class Jobs:
    """A resource that the portal package does not know."""

    def __init__(self, scope: Scope) -> None:
        self.path = scope.v3("k8s", "job")


def test_a_new_resource_is_opened_without_a_change_to_the_portal(portal: TenantPortal) -> None:
    """Its API needs nothing but the scope."""
    assert Jobs(portal.scope).path == "v3/subscriptions/id-1/k8s/job"


def test_calls_with_a_deadline_share_what_was_learned(
    portal: TenantPortal, clock: FakeClock
) -> None:
    """A route found missing by one look is not tried again by the next."""
    hurried = portal.until(Deadline.after(clock, 60.0))
    hurried.scope.memory.missing_routes.add("some route")
    build: Callable[[dict[str, str]], str] = "".join
    reader = hurried.scope.memory.list_reader("path", build, str)
    assert portal.scope.memory.missing_routes == {"some route"}
    assert portal.scope.memory.list_reader("path", build, str) is reader


@pytest.mark.parametrize("name", ["", ".", "..", "\ud800"])
def test_a_name_that_leads_to_another_path_is_refused(portal: TenantPortal, name: str) -> None:
    """Escaping cannot make it harmless."""
    with pytest.raises(Refused, match="The portal returned"):
        portal.scope.v2("GetLbDetailsInService", name)


def test_names_are_escaped(portal: TenantPortal) -> None:
    """A slash in a name does not begin another part of the path."""
    assert portal.scope.v2("a/../b?c") == "subscriptions/id-1/a%2F..%2Fb%3Fc"
