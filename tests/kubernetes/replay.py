"""Play a recording to the real watcher and loop, through the mapping, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any, cast

from pipe.clock import Deadline
from pipe.kind import Kind
from pipe.kinds.service.driver import ServiceDriver
from pipe.model import MAIN, Change, Restart, Resumption, Target, Update
from pipe.portal import Fault, Pod, Service, TenantPortal
from pipe.portal.faults import decode_faults
from pipe.portal.pods import decode_pod
from pipe.portal.services import decode_service
from pipe.rollout import Verdict
from pipe.rollout.loop import follow
from tests.kubernetes.portal_view import K8s, Variant, fault_list, is_listed, pod_view, service_view
from tests.kubernetes.recordings import JUST_AFTER, Moment, Recording
from tests.support.fake_clock import FakeClock

NAME = "web"
STABLE_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome:
    """The verdict, and at how many seconds of the recording it was given."""

    verdict: Verdict
    at: float


class RecordedPortal:
    """A tenant that shows a recording as time passes on `clock`.

    It has the attributes of `TenantPortal` that watching needs. The JSON is decoded by the
    pipe's own decoders, once for each object: unchanged pods stay the same, as in its reader.

    Until `begin` is called it shows the state before the change that was made at `start`.
    `autoscaled` gives the service an autoscaler, so that its configured count is not the wanted
    one.
    """

    def __init__(
        self,
        recording: Recording,
        variant: Variant,
        clock: FakeClock,
        start: float,
        *,
        autoscaled: bool = False,
    ) -> None:
        self.recording = recording
        self.services = _Services(self)
        self.pods = _Pods(self)
        self.faults = _Faults(self)
        self.variant = variant
        self.autoscaled = autoscaled
        self.begun = False
        self._clock = clock
        self._first = start - JUST_AFTER
        self._frozen_at = 0.0

    def begin(self, first_look: float, frozen_at: float) -> None:
        """Show the recording from one second on, and as it is at another for ever after."""
        self.begun, self._first, self._frozen_at = True, first_look, frozen_at

    @property
    def seconds(self) -> float:
        """The second of the recording that is shown."""
        if not self.begun:
            return self._first
        return min(self._first + self._clock.elapsed, self._frozen_at)

    @property
    def moment(self) -> Moment:
        """The state that is shown."""
        return self.recording.at(self.seconds)

    def until(self, deadline: Deadline) -> RecordedPortal:
        """Return the same: nothing takes time here."""
        return self


class _Services:
    def __init__(self, portal: RecordedPortal) -> None:
        self._portal = portal

    def find(self, name: str) -> Service | None:
        portal = self._portal
        kind, workload = portal.recording.kind, portal.moment.workload
        if name != NAME:
            return None
        return _service(_Same(workload), kind, portal.variant, portal.autoscaled, portal.begun)

    def list(self) -> tuple[Service, ...]:
        found = self.find(NAME)
        return (found,) if found else ()


class _Pods:
    def __init__(self, portal: RecordedPortal) -> None:
        self._portal = portal

    def list(self) -> tuple[Pod, ...]:
        variant = self._portal.variant
        pods = self._portal.moment.pods.values()
        return tuple(_pod(_Same(pod), variant) for pod in pods if is_listed(pod))

    def log_tail(self, pod: Pod, docker_id: str) -> tuple[str, ...]:
        return ()


class _Faults:
    def __init__(self, portal: RecordedPortal) -> None:
        self._portal = portal

    def list(self) -> tuple[Fault, ...]:
        return _faults(_Same(self._portal.moment.events), self._portal.variant)


class _Same:
    """A key for caches: equal only to the same object, which the cache keeps alive."""

    def __init__(self, entry: Any) -> None:
        self.entry = entry

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.entry is other.entry

    def __hash__(self) -> int:
        return id(self.entry)


@lru_cache(maxsize=50_000)
def _pod(pod: _Same, variant: Variant) -> Pod:
    return decode_pod(pod_view(pod.entry, variant))


@lru_cache(maxsize=5_000)
def _service(
    workload: _Same, kind: str, variant: Variant, autoscaled: bool, changed: bool
) -> Service:
    view = service_view(workload.entry, kind, variant)
    view["LastDeployedAt"] = f"2026-02-03T10:0{int(changed)}:00Z"
    if autoscaled:
        view["HPASpecs"] = {"minReplicas": 1, "maxReplicas": 10}
    return decode_service(view)


@lru_cache(maxsize=5_000)
def _faults(events: _Same, variant: Variant) -> tuple[Fault, ...]:
    return decode_faults(fault_list(events.entry, [NAME], variant))


def play(
    recording: Recording,
    variant: Variant,
    *,
    start: float = 0.0,
    end: float | None = None,
    restart: bool = False,
    autoscaled: bool = False,
    frozen_at: float | None = None,
) -> Outcome:
    """Follow the change that was made at `start`, until a verdict or the time limit at `end`.

    A change that sets the images that run already is one that an earlier run made. Without
    `end` the limit is the end of the recording. With `frozen_at` every look shows the state at
    that second.
    """
    clock = FakeClock()
    portal = RecordedPortal(recording, variant, clock, start, autoscaled=autoscaled)
    driver = ServiceDriver(cast("TenantPortal", portal), clock)
    (change,) = driver.prepare([_change(driver, portal, start, restart=restart)])
    first_look = start if frozen_at is None else frozen_at
    portal.begin(first_look, inf if frozen_at is None else frozen_at)
    watcher = driver.watch([change], STABLE_SECONDS)
    limit = (recording.length if end is None else end) - first_look
    verdicts = follow([watcher], Deadline.after(clock, limit), clock)
    return Outcome(verdicts[change.target], first_look + clock.elapsed)


def _change(
    driver: ServiceDriver, portal: RecordedPortal, start: float, *, restart: bool
) -> Change:
    target = Target(Kind.SERVICE, NAME)
    before = driver.read([target])[target]
    if restart:
        return Restart(before, {MAIN: before.images[MAIN]})
    wanted = _images(portal.recording.at(start + JUST_AFTER).workload)
    changed = {name: image for name, image in wanted.items() if image != before.images[name]}
    if not changed:
        return Update(before, {MAIN: before.images[MAIN]}, Resumption())
    return Update(before, changed, rollback_to={name: before.images[name] for name in changed})


def _images(workload: K8s) -> Mapping[str, str]:
    pod = workload["spec"]["template"]["spec"]
    entries = [*pod["containers"], *pod.get("initContainers", ())]
    return {MAIN if entry["name"] == NAME else entry["name"]: entry["image"] for entry in entries}
