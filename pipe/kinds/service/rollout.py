"""One service's rollout as observed so far: what the looks add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipe import image
from pipe.kinds.service import problems
from pipe.kinds.service.pods import VersionedPods, by_version
from pipe.kinds.service.problems import PodProblem
from pipe.kinds.service.snapshot import detail, images
from pipe.model import Change
from pipe.portal import Fault, Pod, Service

_MAX_FALLS = 2
"""How often a pod may go down, on portals that count no restarts, before it is crash-looping."""


@dataclass(frozen=True)
class Look:
    """One look at one service, at `at` on the monotonic clock.

    `service` and `faults` are None if this look did not read them; `faults` holds only those
    that did not exist before the change.
    """

    at: float
    pods: tuple[Pod, ...]
    service: Service | None = None
    faults: tuple[Fault, ...] | None = None


@dataclass(frozen=True)
class ObservedProblem:
    """A problem of one pod: when it was first and last seen, and at how many looks."""

    problem: PodProblem
    since: float
    looks: int
    last: float

    @property
    def is_final(self) -> bool:
        """Whether it has lasted too long to pass."""
        grace = self.problem.grace
        if grace is None:
            return False
        is_confirmed = grace == problems.AT_ONCE or self.looks > 1
        return is_confirmed and self.last - self.since >= grace


@dataclass(frozen=True)
class ServiceRollout:
    """Everything observed of one service's rollout. Times are monotonic seconds.

    `restarts` are the restarts that pods had had before, by pod name. `was_set` is true once
    the service was seen to be set to the wanted images. `active` is the portal's last count of
    pods. `listed` are all pods of the last look, `pods` the same by version. `up` counts the new
    pods that are up, `up_since` holds since when, by incarnation. `falls` counts how often a pod
    went down, by name; `problems` are by pod name too.
    """

    change: Change
    service: Service
    started: float
    at: float
    restarts: Mapping[str, int] = field(default_factory=dict)
    was_set: bool = False
    active: int | None = None
    listed: tuple[Pod, ...] = ()
    pods: VersionedPods = field(default_factory=VersionedPods)
    up: int = 0
    up_since: Mapping[str, float] = field(default_factory=dict)
    falls: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, ObservedProblem] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def start(change: Change, at: float) -> ServiceRollout:
    """Return a rollout before the first look."""
    before = detail(change.before)
    return ServiceRollout(change, before.service, at, at, before.restarts)


def observe(rollout: ServiceRollout, look: Look) -> ServiceRollout:
    """Return the rollout with one more look added."""
    if _shows_nothing_new(rollout, look):
        return replace(rollout, at=look.at)
    service = look.service or rollout.service
    pods = by_version(rollout.change, look.pods, rollout.pods)
    faults = rollout.faults if look.faults is None else look.faults
    up = [pod.incarnation for pod in pods.new if problems.is_up(pod)]
    up_since = {one: rollout.up_since.get(one, look.at) for one in up}
    falls = _falls(rollout, pods, up_since)
    present = {
        pod.name: problem
        for pod in pods.new
        if pod.name in falls or not problems.is_healthy(pod)
        if (problem := _problem(pod, service, faults, rollout.restarts, falls.get(pod.name, 0)))
    }
    is_set = look.service is not None and is_set_to(rollout.change, look.service)
    return replace(
        rollout,
        service=service,
        at=look.at,
        was_set=rollout.was_set or is_set,
        active=rollout.active if service.replicas_active is None else service.replicas_active,
        listed=look.pods,
        pods=pods,
        up=len(up),
        up_since=up_since,
        falls=falls,
        problems=_observed_problems(rollout, pods, present, look.at),
        faults=faults,
    )


def is_set_to(change: Change, service: Service) -> bool:
    """Return whether the service has every image that the change sets."""
    current = images(service)
    return all(image.same(new, current.get(name, "")) for name, new in change.images.items())


def _shows_nothing_new(rollout: ServiceRollout, look: Look) -> bool:
    """Return whether nothing but time has passed, as at most looks.

    The benchmark with 5,000 pods needs this. The comparison is quick because the portal's
    reader returns the same objects for unchanged pods, and tuples compare those by identity.
    """
    return (
        rollout.was_set
        and not rollout.problems
        and (look.service is None or look.service == rollout.service)
        and (look.faults is None or look.faults == rollout.faults)
        and look.pods == rollout.listed
    )


def _falls(
    rollout: ServiceRollout, pods: VersionedPods, up_since: Mapping[str, float]
) -> dict[str, int]:
    """Return how often each pod went down, for portals that count no restarts.

    Pods that never did are left out.
    """
    lost = rollout.up_since.keys() - up_since.keys()
    if not lost and not rollout.falls:
        return {}
    fallen = {pod.name for pod in rollout.pods.new if pod.incarnation in lost}
    counts = {
        pod.name: rollout.falls.get(pod.name, 0)
        + (pod.name in fallen and pod.incarnation not in up_since)
        for pod in pods.new
    }
    return {name: count for name, count in counts.items() if count}


def _problem(
    pod: Pod,
    service: Service,
    faults: tuple[Fault, ...],
    restarts: Mapping[str, int],
    falls: int,
) -> PodProblem | None:
    concerning = []
    if faults:
        names = {pod.name, service.name} if service.faults_by_service else {pod.name}
        concerning = [fault for fault in faults if names & fault.resources]
    problem = problems.find_problem(pod, concerning, restarts.get(pod.name, 0))
    if falls >= _MAX_FALLS and (problem is None or problem.grace is None):
        cause = problem.cause if problem else ""
        return PodProblem(f"keeps crashing (went down {falls} times)", cause, problems.AT_ONCE)
    return problem


def _observed_problems(
    rollout: ServiceRollout, pods: VersionedPods, present: Mapping[str, PodProblem], at: float
) -> dict[str, ObservedProblem]:
    """Return the problems of pods that still exist.

    A crash is remembered while the pod is up in between.
    """
    observed: dict[str, ObservedProblem] = {}
    for pod in pods.new:
        before, problem = rollout.problems.get(pod.name), present.get(pod.name)
        if problem and before and before.problem.is_like(problem):
            observed[pod.name] = ObservedProblem(problem, before.since, before.looks + 1, at)
        elif problem:
            observed[pod.name] = ObservedProblem(problem, at, 1, at)
        elif before and before.problem.is_crash:
            observed[pod.name] = before
    return observed
