"""The memory of a watch: what several looks at one service add up to, look by look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import is_

from pipe import image
from pipe.kinds.service import symptoms
from pipe.kinds.service.generation import Generations, detail, images, split
from pipe.kinds.service.symptoms import Symptom
from pipe.model import Change
from pipe.portal import Fault, Pod, Service


@dataclass(frozen=True)
class Look:
    """One look at one service, at `at` on the monotonic clock.

    `service` and `faults` are None when this look did not ask for them; `faults` holds only
    what was not there before the change.
    """

    at: float
    pods: tuple[Pod, ...]
    service: Service | None = None
    faults: tuple[Fault, ...] | None = None


@dataclass(frozen=True)
class Trouble:
    """A symptom of one pod: since when, seen at how many looks, last when."""

    symptom: Symptom
    since: float
    looks: int
    last: float


@dataclass(frozen=True)
class ServiceRollout:
    """Everything the verdict needs, folded from all looks so far. Times are monotonic seconds.

    `restarts` are those that pods had had before the watch began. `up` counts the new pods that
    are up, `up_since` says by their bodies since when.
    """

    change: Change
    service: Service
    at: float
    restarts: Mapping[str, int] = field(default_factory=dict)
    took: bool = False
    active: int | None = None
    generations: Generations = field(default_factory=lambda: Generations((), ()))
    up: int = 0
    up_since: Mapping[str, float] = field(default_factory=dict)
    falls: Mapping[str, int] = field(default_factory=dict)
    troubles: Mapping[str, Trouble] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    pods: tuple[Pod, ...] = ()


def begin(change: Change, at: float) -> ServiceRollout:
    """The state of a watch before its first look."""
    before = detail(change.before)
    return ServiceRollout(change, before.service, at, before.restarts)


def fold(track: ServiceRollout, look: Look) -> ServiceRollout:
    """What is known after one more look."""
    if _shows_nothing_new(track, look):
        return replace(track, at=look.at)
    service = look.service or track.service
    generations = split(track.change, look.pods, track.generations)
    faults = track.faults if look.faults is None else look.faults
    up = [pod.incarnation for pod in generations.new if symptoms.is_up(pod)]
    up_since = {body: track.up_since.get(body, look.at) for body in up}
    falls = _falls(track, generations, up_since)
    seen = {
        pod.name: symptom
        for pod in generations.new
        if faults or falls or not symptoms.is_calm(pod)
        if (symptom := _symptom(pod, service, faults, track.restarts, falls.get(pod.name, 0)))
    }
    return replace(
        track,
        service=service,
        at=look.at,
        took=track.took or (look.service is not None and takes(track.change, look.service)),
        active=track.active if service.replicas_active is None else service.replicas_active,
        generations=generations,
        up=len(up),
        up_since=up_since,
        falls=falls,
        troubles=_troubles(track, generations, seen, look.at),
        faults=faults,
        pods=look.pods,
    )


def _shows_nothing_new(track: ServiceRollout, look: Look) -> bool:
    """Whether only time has passed: in a big tenant that is so for nearly everything.

    The portal's reader hands out the very same pod while its bytes stay the same.
    """
    return (
        track.took
        and not track.troubles
        and (look.service is None or look.service == track.service)
        and (look.faults is None or look.faults == track.faults)
        and len(look.pods) == len(track.pods)
        and all(map(is_, look.pods, track.pods))
    )


def takes(change: Change, service: Service) -> bool:
    """Whether the service asks for everything that `change` wants."""
    asked = images(service)
    return all(image.same(wanted, asked.get(name, "")) for name, wanted in change.images.items())


def _falls(
    track: ServiceRollout, generations: Generations, up_since: Mapping[str, float]
) -> dict[str, int]:
    """How often each pod was up and then was not, for portals that count no restarts.

    Pods that never fell are not in it.
    """
    lost = track.up_since.keys() - up_since.keys()
    if not lost and not track.falls:
        return {}
    fallen = {pod.name for pod in track.generations.new if pod.incarnation in lost}
    counts = {
        pod.name: track.falls.get(pod.name, 0)
        + (pod.name in fallen and pod.incarnation not in up_since)
        for pod in generations.new
    }
    return {name: count for name, count in counts.items() if count}


def _symptom(
    pod: Pod,
    service: Service,
    faults: tuple[Fault, ...],
    restarts: Mapping[str, int],
    falls: int,
) -> Symptom | None:
    concerning = []
    if faults:
        names = {pod.name, service.name} if service.faults_by_service else {pod.name}
        concerning = [fault for fault in faults if names & fault.resources]
    symptom = symptoms.diagnose(pod, concerning, restarts.get(pod.name, 0))
    if falls >= 2 and (symptom is None or symptom.patience is None):
        why = symptom.why if symptom else ""
        return Symptom(f"keeps crashing (went down {falls} times)", why, symptoms.AT_ONCE)
    return symptom


def _troubles(
    track: ServiceRollout, generations: Generations, seen: Mapping[str, Symptom], at: float
) -> dict[str, Trouble]:
    """Troubles of pods that still exist. A crash is remembered while the pod is up in between."""
    found: dict[str, Trouble] = {}
    for pod in generations.new:
        before, symptom = track.troubles.get(pod.name), seen.get(pod.name)
        if symptom and before and _alike(before.symptom, symptom):
            found[pod.name] = Trouble(symptom, before.since, before.looks + 1, at)
        elif symptom:
            found[pod.name] = Trouble(symptom, at, 1, at)
        elif before and before.symptom.what.startswith("keeps crashing"):
            found[pod.name] = before
    return found


def _alike(before: Symptom, now: Symptom) -> bool:
    return before.what.split("(")[0].strip() == now.what.split("(")[0].strip()
