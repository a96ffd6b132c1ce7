"""When Kubernetes is asked, and when the portal's view serves instead."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from pipe.clock import Deadline
from pipe.errors import PlatformError, Refused, Unreachable
from pipe.kinds.service.cluster_view import ClusterLook, ClusterView
from pipe.kubernetes import Cluster, Event, Right, Workload, WorkloadKind
from pipe.portal import Pod
from pipe.portal.kubernetes_access import IssuedAccess
from pipe.secret import Secret
from tests.support.fake_clock import FakeClock
from tests.support.service_looks import pod, service
from tests.unit.test_availability import AFTER

WEB, DB = service(), replace(service(), name="db", flags={"ForceStatefulSet": True})
NAMES = ("web", "db")


class FakeCluster:
    """A cluster whose answers a test sets, and which notes what it was asked."""

    def __init__(self, *workloads: Workload) -> None:
        self.issued = IssuedAccess("https://10.0.0.5:6443", "", Secret("token"), "dev01")
        self.present = list(workloads)
        self.running: tuple[Pod, ...] = (
            ready("web-5d8f9c7b6d-aaaaa"),
            ready("web-5d8f9c7b6d-bbbbb"),
        )
        self.missing: tuple[str, ...] = ()
        self.error: PlatformError | None = None
        self.asked: list[str] = []

    def until(self, deadline: Deadline) -> FakeCluster:
        return self

    def missing_rights(self, rights: Sequence[Right]) -> tuple[Right, ...]:
        self._ask(" ".join(map(str, rights)))
        return tuple(right for right in rights if str(right) in self.missing)

    def workloads(self, kind: WorkloadKind, names: Collection[str]) -> tuple[Workload, ...]:
        self._ask(kind.plural)
        return tuple(one for one in self.present if one.kind is kind)

    def pods(self, selector: str) -> tuple[Pod, ...]:
        self._ask("pods")
        return self.running

    def events(self, name: str) -> tuple[Event, ...]:
        self._ask("events")
        return ()

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.error:
            raise self.error


def ready(name: str) -> Pod:
    """Return a ready pod of the Deployment web."""
    return replace(pod(name), owner="", controller="web-5d8f9c7b6d", ready=True)


SET = replace(AFTER, kind=WorkloadKind.STATEFUL_SET, name="db", ready=0)


@pytest.fixture
def cluster() -> FakeCluster:
    """Return a cluster in which both services run."""
    return FakeCluster(AFTER, SET)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def view_of(cluster: FakeCluster, clock: FakeClock, *, is_required: bool = False) -> ClusterView:
    """Return a view of the cluster, which was not opened."""
    return ClusterView(lambda: cast("Cluster", cluster), clock, is_required=is_required)


def test_it_is_opened_once_for_services_in_kubernetes(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    view = view_of(cluster, clock)
    view.open([replace(WEB, platform=0)])
    assert not cluster.asked
    view.open([WEB])
    view.open([WEB])
    assert len(cluster.asked) == 2
    assert "list statefulsets" not in cluster.asked[0]


@pytest.mark.parametrize("error", [Unreachable("gone."), Refused("no.")])
def test_what_cannot_be_opened_shows_nothing(
    cluster: FakeCluster, clock: FakeClock, error: PlatformError
) -> None:
    cluster.error = error
    view = view_of(cluster, clock)
    view.open([WEB])
    cluster.error = None
    view.open([WEB])
    assert view.look(["web"]) == ClusterLook()
    assert len(cluster.asked) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"error": Unreachable("10.0.0.5:6443 did not respond.")}, "did not respond"),
        ({"missing": ("list pods",)}, "lacks the rights to list pods"),
        ({"present": [AFTER]}, "There is no StatefulSet db"),
    ],
)
def test_a_refusal_is_an_error_where_kubernetes_is_required(
    cluster: FakeCluster, clock: FakeClock, change: dict[str, Any], reason: str
) -> None:
    for name, value in change.items():
        setattr(cluster, name, value)
    with pytest.raises(PlatformError, match=reason) as refused:
        view_of(cluster, clock, is_required=True).open([WEB, DB])
    assert "KUBERNETES: 'auto'" in refused.value.remedy


def test_a_service_without_its_workload_is_left_to_the_portal(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    cluster.present = [AFTER]
    view = view_of(cluster, clock)
    view.open([WEB, DB])
    look = view.look(NAMES)
    assert look.workloads.keys() == look.pods.keys() == {"web"}


def test_a_workload_that_is_deleted_is_left_to_the_portal_for_good(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    view = view_of(cluster, clock)
    view.open([WEB, DB])
    cluster.present = [AFTER]
    assert view.look(NAMES).workloads.keys() == {"web"}
    cluster.present = [AFTER, SET]
    assert view.look(NAMES).workloads.keys() == {"web"}


def test_pods_are_read_again_when_a_workload_changes_and_every_second(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    view = view_of(cluster, clock)
    view.open([WEB])
    first = view.look(["web"])
    clock.advance(0.5)
    assert view.look(["web"]) is first
    clock.advance(0.5)
    view.look(["web"])
    cluster.present = [replace(AFTER, available=1)]
    view.look(["web"])
    assert cluster.asked.count("pods") == 3


def test_pods_that_do_not_agree_with_their_workload_are_read_again(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    """One of both was read before a change, and the other after it."""
    cluster.running = cluster.running[:1]
    view = view_of(cluster, clock)
    view.open([WEB])
    view.look(["web"])
    view.look(["web"])
    assert cluster.asked.count("pods") == 2


def test_a_failed_look_is_the_last_one(cluster: FakeCluster, clock: FakeClock) -> None:
    view = view_of(cluster, clock)
    view.open([WEB])
    cluster.error = Refused("10.0.0.5:6443 refuses the token that the portal issued.")
    assert view.look(["web"]) == ClusterLook()
    cluster.error = None
    assert view.look(["web"]) == ClusterLook()
    assert view.events() is None


def test_events_that_are_refused_do_not_end_the_view(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    view = view_of(cluster, clock)
    view.open([WEB])
    cluster.error = Refused("no events for you.")
    assert view.events() is None
    cluster.error = None
    assert view.look(["web"]).workloads
