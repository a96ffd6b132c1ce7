"""Which reads a look at services takes."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from pipe.clock import Deadline
from pipe.kinds.service.watcher import ServiceWatcher
from pipe.portal import Fault, Service, TenantPortal
from pipe.rollout import Ready, Verdict, Waiting
from tests.support.fake_clock import FakeClock
from tests.support.service_looks import OLD, change, pod, service

TWO_UP = (pod("a"), pod("b"))


class Portal:
    """A tenant whose service has other counts with time, and what was read of it."""

    def __init__(self, clock: FakeClock, counts: Sequence[tuple[float, Service]]) -> None:
        self.reads: list[str] = []
        self._clock = clock
        self._counts = counts
        self.pods = SimpleNamespace(list=lambda: self._read("pods", TWO_UP))
        self.faults = SimpleNamespace(
            list=lambda: self._read("faults", cast("Sequence[Fault]", ()))
        )
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


def follow(counts: Sequence[tuple[float, Service]], seconds: int) -> tuple[Verdict, list[str]]:
    """Look once a second, and return the last verdict with all that was read."""
    clock = FakeClock()
    start = clock.monotonic()
    portal = Portal(clock, [(start + since, one) for since, one in counts])
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
