"""Play a recording to the real watcher and loop, through the mapping, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from typing import Any, TypeVar, cast

from pipe.clock import Deadline
from pipe.errors import Unreachable
from pipe.kind import Kind
from pipe.kinds.service.cluster_view import ClusterView
from pipe.kinds.service.driver import ServiceDriver
from pipe.kubernetes import Cluster, Event, Right, Workload, WorkloadKind
from pipe.kubernetes.events import decode_event
from pipe.kubernetes.pods import decode_pod
from pipe.kubernetes.workloads import decode_workload
from pipe.model import MAIN, Change, Restart, Resumption, Target, Update
from pipe.portal import Fault, Pod, Service, TenantPortal
from pipe.portal import pods as portal_pods
from pipe.portal.faults import decode_faults
from pipe.portal.kubernetes_access import IssuedAccess
from pipe.portal.service_body import decode_service
from pipe.rollout import Verdict
from pipe.rollout.loop import follow
from pipe.secret import Secret
from tests.kubernetes.portal_view import K8s, Variant, fault_list, is_listed, pod_view, service_view
from tests.kubernetes.recordings import JUST_AFTER, Moment, Recording
from tests.support.fake_clock import FakeClock

T = TypeVar("T")

NAME = "web"
STABLE_SECONDS = 5.0
CRASH_LIMIT = 3


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
    one. Every read takes `latency` seconds.
    """

    def __init__(
        self,
        recording: Recording,
        variant: Variant,
        clock: FakeClock,
        start: float,
        *,
        autoscaled: bool = False,
        latency: float = 0.0,
    ) -> None:
        self.recording = recording
        self.services = _Services(self)
        self.pods = _Pods(self)
        self.faults = _Faults(self)
        self._reader = _reader(recording, variant, autoscaled=autoscaled)
        self._begun = False
        self._latency = latency
        self._clock = clock
        self._first = start - JUST_AFTER
        self._frozen_at = 0.0

    def begin(self, first_look: float, frozen_at: float) -> None:
        """Show the recording from one second on, and as it is at another for ever after."""
        self._begun, self._first, self._frozen_at = True, first_look, frozen_at

    @property
    def seconds(self) -> float:
        """The second of the recording that is shown."""
        if not self._begun:
            return self._first
        return min(self._first + self._clock.elapsed, self._frozen_at)

    def shown(self) -> _Shown:
        """Return the state that is shown to a read."""
        shown = self._reader.show(self.recording.at(self.seconds), changed=self._begun)
        self.take_time()
        return shown

    def take_time(self) -> None:
        """Let as much time pass as a read takes."""
        if self._begun:
            self._clock.advance(self._latency)

    def until(self, deadline: Deadline) -> RecordedPortal:
        """Return the same: no read takes too long."""
        return self


_DECODED: dict[int, Any] = {}
"""What was decoded of recorded objects, which are never freed, by their identities."""


def _decoded(entry: K8s, decode: Callable[[], T]) -> T:
    if id(entry) not in _DECODED:
        _DECODED[id(entry)] = decode()
    return cast("T", _DECODED[id(entry)])


class RecordedCluster:
    """Kubernetes itself at the same moments, with the methods of `Cluster` that watching needs.

    It is away from the second `gone_at` of the recording on.
    """

    def __init__(self, portal: RecordedPortal, gone_at: float = inf) -> None:
        self.issued = IssuedAccess("https://kubernetes.example", "", Secret("token"), "dev01")
        self.looks = 0
        self._portal = portal
        self._gone_at = gone_at

    def until(self, deadline: Deadline) -> RecordedCluster:
        """Return the same: no read takes too long."""
        return self

    def missing_rights(self, rights: Sequence[Right]) -> tuple[Right, ...]:
        """Return none."""
        return ()

    def workloads(self, kind: WorkloadKind, names: Collection[str]) -> tuple[Workload, ...]:
        """Return the recorded workload if it is of that kind."""
        self.looks += 1
        if self._portal.seconds >= self._gone_at:
            raise Unreachable("kubernetes.example is gone.")
        workload = self._moment().workload
        if kind != self._portal.recording.kind:
            return ()
        return (_decoded(workload, lambda: decode_workload(workload, kind)),)

    def pods(self, selector: str) -> tuple[Pod, ...]:
        """Return the recorded pods."""
        pods = self._moment().pods.values()
        return tuple(_decoded(pod, partial(decode_pod, pod)) for pod in pods)

    def events(self, name: str) -> tuple[Event, ...]:
        """Return the recorded warnings, the latest first."""
        return tuple(decode_event(event) for event in reversed(self._moment().events))

    def _moment(self) -> Moment:
        moment = self._portal.recording.at(self._portal.seconds)
        self._portal.take_time()
        return moment


class _Services:
    def __init__(self, portal: RecordedPortal) -> None:
        self._portal = portal

    def find(self, name: str) -> Service | None:
        return self._portal.shown().service if name == NAME else None

    def list(self) -> tuple[Service, ...]:
        return (self._portal.shown().service,)


class _Pods:
    def __init__(self, portal: RecordedPortal) -> None:
        self._portal = portal

    def list(self) -> tuple[Pod, ...]:
        return self._portal.shown().pods

    def log_tail(self, pod: Pod, docker_id: str) -> tuple[str, ...]:
        return ()


class _Faults:
    def __init__(self, portal: RecordedPortal) -> None:
        self._portal = portal

    def list(self) -> tuple[Fault, ...]:
        return self._portal.shown().faults


@dataclass(frozen=True)
class _Shown:
    """A moment as the pipe reads it."""

    service: Service
    pods: tuple[Pod, ...]
    faults: tuple[Fault, ...]


class _Reader:
    """Decodes what a portal shows of a recording, every object once."""

    def __init__(self, kind: str, variant: Variant, *, autoscaled: bool) -> None:
        self._kind = kind
        self._variant = variant
        self._autoscaled = autoscaled
        self._pods: dict[int, Pod] = {}
        self._services: dict[tuple[int, bool], Service] = {}
        self._moments: dict[tuple[int, bool], _Shown] = {}

    # The keys are identities: recordings are never freed.

    def show(self, moment: Moment, *, changed: bool) -> _Shown:
        """Return a moment; `changed` is whether the portal has taken the change."""
        key = id(moment), changed
        if key not in self._moments:
            pods = tuple(self._pod(pod) for pod in moment.pods.values() if is_listed(pod))
            faults = decode_faults(fault_list(moment.events, [NAME], self._variant))
            service = self._service(moment.workload, changed=changed)
            self._moments[key] = _Shown(service, pods, faults)
        return self._moments[key]

    def _pod(self, pod: K8s) -> Pod:
        if id(pod) not in self._pods:
            self._pods[id(pod)] = portal_pods.decode_pod(pod_view(pod, self._variant))
        return self._pods[id(pod)]

    def _service(self, workload: K8s, *, changed: bool) -> Service:
        key = id(workload), changed
        if key not in self._services:
            view = service_view(workload, self._kind, self._variant)
            view["LastDeployedAt"] = f"2026-02-03T10:0{int(changed)}:00Z"
            if self._autoscaled:
                view["HPASpecs"] = {"minReplicas": 1, "maxReplicas": 10}
            self._services[key] = decode_service(view)
        return self._services[key]


@cache
def _reader(recording: Recording, variant: Variant, *, autoscaled: bool) -> _Reader:
    return _Reader(recording.kind, variant, autoscaled=autoscaled)


def play(
    recording: Recording,
    variant: Variant,
    *,
    start: float = 0.0,
    end: float | None = None,
    restart: bool = False,
    autoscaled: bool = False,
    latency: float = 0.0,
    first_look: float | None = None,
    frozen_at: float = inf,
    resumed: bool = False,
    kubernetes: bool = False,
    gone_at: float = inf,
    crash_limit: int = CRASH_LIMIT,
) -> Outcome:
    """Follow the change that was made at `start`, until a verdict or the time limit at `end`.

    A change that sets the images that run already is one that an earlier run made. Without
    `end` the limit is the end of the recording. `first_look` is when the following begins, right
    after the change if None. From `frozen_at` on nothing changes any more. `resumed` means that
    the run that made the change was killed, and that another one, which knows nothing from before
    the change, follows it. With `kubernetes`, Kubernetes can be asked until `gone_at`.
    """
    first_look = start if first_look is None else first_look
    clock = FakeClock()
    portal = RecordedPortal(
        recording, variant, clock, start, autoscaled=autoscaled, latency=latency
    )
    cluster = cast("Cluster", RecordedCluster(portal, gone_at))
    view = ClusterView(lambda: cluster, clock, is_required=True) if kubernetes else None
    driver = ServiceDriver(cast("TenantPortal", portal), clock, view)
    change = _change(driver, portal, start, restart=restart)
    if resumed:
        portal.begin(first_look, frozen_at)
        now = driver.read([change.target])[change.target]
        change = Update(now, change.images, Resumption())
    driver.look_closer([change])
    (change,) = driver.prepare([change])
    portal.begin(first_look, frozen_at)
    watcher = driver.watch([change], STABLE_SECONDS, crash_limit)
    limit = (recording.length if end is None else end) - first_look
    verdicts = follow([watcher], Deadline.after(clock, limit), clock)
    return Outcome(verdicts[change.target], first_look + clock.elapsed)


def is_rolled_out(recording: Recording, variant: Variant, at: float) -> bool:
    """Return whether a run that wants what is set already finds nothing to follow at a second."""
    clock = FakeClock()
    portal = RecordedPortal(recording, variant, clock, at)
    portal.begin(at, at)
    driver = ServiceDriver(cast("TenantPortal", portal), clock)
    target = Target(Kind.SERVICE, NAME)
    return driver.is_rolled_out(list(driver.read([target]).values()))[target]


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
