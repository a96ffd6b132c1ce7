"""Which reads a look at services takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipe.clock import Deadline
from pipe.kinds.service.watcher import ServiceWatcher
from pipe.portal import Fault, Phase, Pod, Service, TenantPortal
from pipe.rollout import Ready, Superseded, Verdict, Waiting
from tests.support.fake_clock import FakeClock
from tests.support.service_looks import OLD, TWO_UP, change, fault, pod, service, without_details


class Portal:
    """A tenant whose service has other counts with time, and what was read of it."""

    def __init__(
        self,
        clock: FakeClock,
        counts: Sequence[tuple[float, Service]],
        pods: Sequence[Pod] = TWO_UP,
        faults: Sequence[Fault] = (),
    ) -> None:
        self.reads: list[str] = []
        self._clock = clock
        self._counts = counts
        self.pods = SimpleNamespace(list=lambda: self._read("pods", pods))
        self.faults = SimpleNamespace(list=lambda: self._read("faults", faults))
        self.services = SimpleNamespace(find=lambda name: self._read(name, self._service()))

    def until(self, deadline: Deadline) -> Portal:
        """Return the same: nothing takes time here."""
        del deadline
        return self

    def _service(self) -> Service:
        return [one for since, one in self._counts if since <= self._clock.monotonic()][-1]

    def _read(self, what: str, result: Any) -> Any:
        self.reads.append(what)
        return result


def follow(
    counts: Sequence[tuple[float, Service]],
    seconds: int,
    pods: Sequence[Pod] = TWO_UP,
    faults: Sequence[Fault] = (),
) -> tuple[Verdict, list[str]]:
    """Look once a second, and return the last verdict with all that was read."""
    clock = FakeClock()
    start = clock.monotonic()
    portal = Portal(clock, [(start + since, one) for since, one in counts], pods, faults)
    what = change(service(OLD))
    watcher = ServiceWatcher(cast("TenantPortal", portal), clock, [what], 5.0, 3)
    verdict: Verdict = Waiting("")
    for _ in range(seconds):
        (verdict,) = watcher.look(Deadline.after(clock, 900.0)).values()
        if isinstance(verdict, Ready):
            break
        clock.sleep(1.0)
    return verdict, portal.reads


def test_services_are_read_as_long_as_more_pods_are_expected() -> None:
    """Every listed pod is up, and the others will never come: the service was scaled down."""
    verdict, reads = follow([(0.0, service(replicas=4)), (20.0, service(replicas=2))], 60)
    assert isinstance(verdict, Ready)
    assert len([one for one in reads if one == "pods"]) <= 29
    assert reads.count("web") <= reads.count("pods") / 2 + 2


def test_a_count_of_what_exists_that_lags_behind_is_read_again() -> None:
    """`ReplicasActive` may count a surge pod that has just gone."""
    scaled = service(min_replicas=1, replicas_active=3)
    counts = [(0.0, scaled), (6.0, service(min_replicas=1, replicas_active=2))]
    assert isinstance(follow(counts, 30)[0], Ready)


def test_services_are_not_read_while_only_time_is_missing() -> None:
    """One look more, when it has passed, and the service once before the verdict."""
    verdict, reads = follow([(0.0, service())], 60)
    assert isinstance(verdict, Ready)
    assert reads.count("web") == 2
    assert "faults" not in reads


BLIND = tuple(map(without_details, TWO_UP))


def test_faults_are_read_once_before_success_where_pods_show_no_states() -> None:
    """Between two crashes a pod seems to run."""
    verdict, reads = follow([(0.0, service())], 60, BLIND)
    assert isinstance(verdict, Ready)
    assert reads.count("faults") == 1


def test_success_waits_where_the_faults_show_that_a_pod_has_crashed() -> None:
    verdict, reads = follow([(0.0, service())], 20, BLIND, (fault("a", "Back-off restarting"),))
    assert isinstance(verdict, Waiting)
    assert verdict.stuck == "pod a has crashed: Back-off restarting"
    assert reads.count("faults") == 1


def test_faults_are_read_in_turn_while_previous_pods_remain() -> None:
    """New pods that are up may not be ready."""
    pods = (*TWO_UP, pod("x", OLD))
    faults = (fault("a", "Readiness probe failed"),)
    verdict, reads = follow([(0.0, service())], 10, pods, faults)
    assert isinstance(verdict, Waiting)
    assert verdict.stuck == "pod a may not be ready: Readiness probe failed"
    assert len(reads) <= 21


def test_a_fall_while_only_time_is_missing_makes_the_same_look_read_services() -> None:
    """The next look may be the last: another deployment must be found before."""
    clock = FakeClock()
    portal = Portal(clock, [(0.0, service())])
    watcher = ServiceWatcher(cast("TenantPortal", portal), clock, [change(service(OLD))], 5.0, 3)
    deadline = Deadline.after(clock, 900.0)
    for _ in range(2):
        watcher.look(deadline)
        clock.sleep(1.0)
    portal.reads.clear()
    portal.pods = SimpleNamespace(list=lambda: (*TWO_UP, pod("third", phase=3)))
    watcher.look(deadline)
    assert "web" in portal.reads


def test_services_are_read_once_more_when_the_time_is_up() -> None:
    """Another deployment may be why the rollout did not finish."""
    clock = FakeClock()
    other = service("team/web:9")
    start = clock.monotonic()
    portal = Portal(clock, [(0.0, service()), (start + 1.5, other)], (pod("a", phase=3),))
    watcher = ServiceWatcher(cast("TenantPortal", portal), clock, [change(service(OLD))], 5.0, 3)
    deadline = Deadline.after(clock, 1.9)
    watcher.look(deadline)
    clock.sleep(2.0)
    portal.reads.clear()
    (verdict,) = watcher.look(deadline).values()
    assert portal.reads.count("web") == 1
    assert isinstance(verdict, Superseded)


@pytest.mark.parametrize(("pods", "reads"), [(TWO_UP, 2), (BLIND, 6)], ids=["states", "none"])
def test_faults_are_read_rarely_where_pods_show_every_problem(
    pods: Sequence[Pod], reads: int
) -> None:
    beside = (*pods, without_details(pod("x", OLD)))
    assert follow([(0.0, service())], 12, beside)[1].count("faults") == reads


@pytest.mark.parametrize(("wanted", "reads"), [(2, 0), (3, 1)], ids=["over", "one is missing"])
def test_services_wait_for_the_verdict_when_the_pods_alone_show_the_end(
    wanted: int, reads: int
) -> None:
    """Only time is missing then; where more is, they are read at the same look after all."""
    clock, old = FakeClock(), pod("x", OLD)
    portal = Portal(clock, [(0.0, service(replicas=wanted))], (*TWO_UP, old))
    what = change(service(OLD), (old,))
    watcher = ServiceWatcher(cast("TenantPortal", portal), clock, [what], 5.0, 3)
    deadline = Deadline.after(clock, 900.0)
    for _ in range(2):
        watcher.look(deadline)
        clock.sleep(1.0)
    portal.reads.clear()
    portal.pods = SimpleNamespace(list=lambda: (*TWO_UP, replace(old, desired=Phase.DELETE)))
    watcher.look(deadline)
    assert portal.reads.count("web") == reads
