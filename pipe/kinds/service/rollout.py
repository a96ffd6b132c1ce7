"""One service's rollout as observed so far: what the looks add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipe import image
from pipe.configuration import is_in_place
from pipe.kinds.service import crashes, problems
from pipe.kinds.service.pods import VersionedPods, by_version
from pipe.kinds.service.problems import PodProblem
from pipe.kinds.service.snapshot import detail, images, present
from pipe.kubernetes import Workload
from pipe.model import Change, Restart
from pipe.portal import Fault, Pod, Service

_INEXACT = 0.01
"""Seconds by which looks may be off: a problem must not have to last until one look more."""


@dataclass(frozen=True)
class Look:
    """One look at one service, at `at` on the monotonic clock.

    `service` and `faults` are None if this look did not read them; `faults` holds only those
    that did not exist before the change. `workload` is None where the portal alone was asked.
    """

    at: float
    pods: tuple[Pod, ...]
    service: Service | None = None
    faults: tuple[Fault, ...] | None = None
    workload: Workload | None = None


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
        lasted = self.last - self.since + _INEXACT
        return grace is not None and self.looks > 1 and lasted >= grace


@dataclass(frozen=True)
class ServiceRollout:
    """Everything observed of one service's rollout. Times are monotonic seconds.

    `restarts` are the restarts that pods had had before, by pod name. `was_set` is true once the
    service was seen to be set to the wanted images. `active` is the portal's last count of pods.
    `listed` are all pods of the last look, `pods` the same by version. `had_pods` is true once any
    was alive, `overlapped` once a new pod was up beside a previous one, as in a rolling update;
    `alone_since` is since when no previous pod is left, `beside_until` when one was last seen.
    `shows_state` is true once the portal was seen to show present states of containers. `up` counts
    the new pods that are up, `up_since` holds since when, by incarnation. `seen` counts restarts on
    portals that do not; `ends` counts how often a container of a new pod ended, by pod name;
    `problems` are by pod name too. Where Kubernetes was asked, `workload` is what it showed last,
    `arrived` are the images of its template once the change had reached it, by container, and
    `available_since` is since when it has called the wanted revision available.
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
    had_pods: bool = False
    overlapped: bool = False
    alone_since: float | None = None
    beside_until: float | None = None
    shows_state: bool = False
    up: int = 0
    up_since: Mapping[int, float] = field(default_factory=dict)
    seen: crashes.Seen = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, ObservedProblem] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    workload: Workload | None = None
    arrived: Mapping[str, str] | None = None
    available_since: float | None = None


def start(change: Change, at: float) -> ServiceRollout:
    """Return a rollout before the first look."""
    before = detail(change.before)
    return ServiceRollout(change, before.service, at, at, before.restarts)


def observe(rollout: ServiceRollout, look: Look) -> ServiceRollout:
    """Return the rollout with one more look added."""
    if _shows_nothing_new(rollout, look):
        return replace(rollout, at=look.at)
    rollout = _with_workload(_with_look(rollout, look), look)
    present = _present_problems(rollout)
    if not present and not rollout.problems:
        return rollout
    return replace(rollout, problems=_observed_problems(rollout, present))


def is_set_to(change: Change, service: Service) -> bool:
    """Return whether the service has every image that the change sets, and its configuration."""
    current = images(service)
    return all(image.same(new, current.get(name, "")) for name, new in change.images.items()) and (
        not change.sets or is_in_place(present(service), change.sets)
    )


def _shows_nothing_new(rollout: ServiceRollout, look: Look) -> bool:
    """Return whether nothing but time has passed, as at most looks.

    The benchmark with 5,000 pods needs this: the revisions of pods are quick to compare.
    """
    return (
        rollout.was_set
        and not rollout.problems
        and (look.service is None or look.service == rollout.service)
        and (look.faults is None or look.faults == rollout.faults)
        and look.workload == rollout.workload
        and len(look.pods) == len(rollout.listed)
        and all(map(Pod.is_unchanged, look.pods, rollout.listed))
    )


def _with_look(rollout: ServiceRollout, look: Look) -> ServiceRollout:
    """Return the rollout with what another look shows of the service and of its pods."""
    service = rollout.service if look.service is None else look.service
    is_set = look.service is not None and is_set_to(rollout.change, service)
    pods = by_version(rollout.change, look.pods, rollout.pods)
    shows_state = rollout.shows_state or crashes.shows_state(look.pods)
    up = [
        pod.incarnation
        for pod in pods.new
        if pod.is_steady or problems.is_up(pod, shows_state=shows_state)
    ]
    restarts = crashes.without_recreated(rollout.restarts, pods.new)
    seen = crashes.seen_restarts(rollout.seen, rollout.pods.new, pods.new)
    alone_since = look.at if rollout.alone_since is None else rollout.alone_since
    return replace(
        rollout,
        service=service,
        at=look.at,
        was_set=rollout.was_set or is_set,
        active=rollout.active if service.replicas_active is None else service.replicas_active,
        faults=rollout.faults if look.faults is None else look.faults,
        restarts=restarts,
        listed=look.pods,
        pods=pods,
        had_pods=rollout.had_pods or bool(pods.new or pods.previous or pods.leaving),
        overlapped=rollout.overlapped or bool(up and pods.previous),
        alone_since=None if pods.previous else alone_since,
        beside_until=rollout.at if rollout.pods.previous else rollout.beside_until,
        shows_state=shows_state,
        up=len(up),
        up_since={one: rollout.up_since.get(one, look.at) for one in up},
        seen=seen,
        ends=crashes.ends(pods.new, restarts, seen, shows_state=shows_state),
    )


def _with_workload(rollout: ServiceRollout, look: Look) -> ServiceRollout:
    """Return the rollout with what Kubernetes shows of the workload, if it was asked."""
    workload = look.workload
    if workload is None:
        is_new = rollout.workload is not None
        return replace(rollout, workload=None, available_since=None) if is_new else rollout
    arrived = rollout.arrived
    if arrived is None and has_arrived(rollout.change, workload):
        arrived = workload.images
    is_available = arrived is not None and workload.is_available
    since = look.at if rollout.available_since is None else rollout.available_since
    return replace(
        rollout,
        workload=workload,
        arrived=arrived,
        available_since=since if is_available else None,
    )


def has_arrived(change: Change, workload: Workload) -> bool:
    """Return whether a workload is set to what `change` sets, which the portal passes on.

    An update of images shows in the template. Its images may differ from those that the portal
    sets, because admission controllers rewrite them: then it is a change of those there were. What
    leaves the images as they are shows only in a generation that was not there before.
    """
    before = detail(change.before).workload
    is_newer = before is not None and (
        workload.generation > before.generation or workload.uid != before.uid
    )
    if (isinstance(change, Restart) or change.sets) and change.resumes is None and not is_newer:
        return False
    return all(
        image.same(wanted, now := workload.images.get(container, ""))
        or (is_newer and before is not None and now != before.images.get(container, ""))
        for container, wanted in change.images.items()
    )


def _present_problems(rollout: ServiceRollout) -> dict[str, PodProblem]:
    """Return the problems of new pods, and what became of those that were replaced."""
    ends = rollout.ends
    present = {
        pod.name: problem
        for pod in rollout.pods.new
        if not pod.is_steady or (ends and pod.name in ends)
        if (problem := _problem(rollout, pod))
    }
    gone = {pod.name: problems.failed(pod, _faults_of(rollout, pod)) for pod in rollout.pods.failed}
    return present | gone


def _problem(rollout: ServiceRollout, pod: Pod) -> PodProblem | None:
    ends, faults = rollout.ends.get(pod.name, 0), _faults_of(rollout, pod)
    return problems.find_problem(pod, faults, ends, shows_state=rollout.shows_state)


def _faults_of(rollout: ServiceRollout, pod: Pod) -> list[Fault]:
    service = rollout.service
    names = {pod.name, service.name} if service.faults_by_service else {pod.name}
    return [fault for fault in rollout.faults if names & fault.resources]


def crash_faults(rollout: ServiceRollout) -> Mapping[str, Fault]:
    """Return the first fault about a crash of each new pod, by its name."""
    return _by_pod(rollout, [one for one in rollout.faults if problems.is_crash(one)])


def probe_faults(rollout: ServiceRollout) -> Mapping[str, Fault]:
    """Return the first fault about a failing probe of each new pod, by its name."""
    return _by_pod(rollout, [one for one in rollout.faults if problems.is_failing_probe(one)])


def _by_pod(rollout: ServiceRollout, faults: Sequence[Fault]) -> dict[str, Fault]:
    by_name: dict[str, Fault] = {}
    for fault in faults:
        for name in fault.resources:
            by_name.setdefault(name, fault)
    service = rollout.service
    of_all = by_name.get(service.name) if service.faults_by_service else None
    return {
        pod.name: own
        for pod in (rollout.pods.new if by_name else ())
        if (own := by_name.get(pod.name, of_all))
    }


def _observed_problems(
    rollout: ServiceRollout, present: Mapping[str, PodProblem]
) -> dict[str, ObservedProblem]:
    """Return the present problems, with what earlier looks showed of them."""
    observed: dict[str, ObservedProblem] = {}
    for name, shown in present.items():
        before = rollout.problems.get(name)
        problem = shown if before is None else _explained(shown, before.problem)
        if before is not None and before.problem.is_like(problem):
            since, looks = before.since, before.looks + 1
        else:
            since, looks = rollout.at, 1
        observed[name] = ObservedProblem(problem, since, looks, rollout.at)
    return observed


def _explained(problem: PodProblem, before: PodProblem) -> PodProblem:
    """Return the problem with the cause that an earlier look showed.

    `ErrImagePull` names the cause, the `ImagePullBackOff` that follows does not.
    """
    is_known = problem.is_explained or problem.category is not before.category
    return problem if is_known or not before.is_explained else before
