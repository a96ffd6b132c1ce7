"""What a real cluster and the sandbox show of the same change, made comparable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from tests.kubernetes.portal_view import K8s, is_ready

# Every tolerance of the comparison.
GLIMPSE = 1.6
"""Seconds below which a passing state may or may not be seen at two looks a second."""
STARTING = 4.5
"""Seconds that a pod may take to start: how busy the machine was that recorded it."""
LATE = 3.0
"""Seconds by which the same step may come earlier or later, counted from the one before."""
DRIFT = 0.25
"""What may be added to that for long steps: back-offs wait for the kubelet's period of 10 to 15 s,
so that two runs on the same cluster differ by this part."""
STEP = 0.5
"""Seconds between two looks, as in the recordings."""

_PLAIN = ("ContainerCreating", "PodInitializing")
_PASSING = {"pending": STARTING, "up": STARTING, "ready": GLIMPSE, "CrashLoopBackOff": GLIMPSE}


@dataclass(frozen=True)
class Sight:
    """The pods at one moment, by name, the workload, and the texts of all warnings so far.

    `events` are the same warnings as Kubernetes reports them: kind of the object, reason, message.
    """

    at: float
    pods: Mapping[str, K8s]
    warnings: frozenset[str] = frozenset()
    workload: K8s = field(default_factory=dict)
    events: frozenset[tuple[str, str, str]] = frozenset()


@dataclass(frozen=True)
class Spell:
    """A state of a pod, and when it was first and last seen."""

    word: str
    start: float
    end: float


@dataclass(frozen=True)
class Course:
    """The life of one pod: its role, `old` or `new`, and its states in order."""

    role: str
    born: float
    spells: tuple[Spell, ...]

    @property
    def words(self) -> list[str]:
        """The states in words."""
        return [spell.word for spell in self.spells]


def courses(sights: Iterable[Sight], role_of: Roles) -> list[Course]:
    """Return the lives of all pods by role, in the order of their creation and last change.

    Pods that are already leaving when they are first seen are of an earlier change.
    """
    seen: dict[tuple[str, str], list[Spell]] = {}
    for sight in sights:
        for pod in sight.pods.values():
            spells = seen.setdefault((role_of(pod), pod["metadata"]["name"]), [])
            said = word(pod)
            if not spells or spells[-1].word != said:
                spells.append(Spell(said, sight.at, sight.at))
            spells[-1] = Spell(said, spells[-1].start, sight.at + STEP)
    found = [
        Course(role, spells[0].start, tuple(_without_glimpses(spells)))
        for (role, _), spells in seen.items()
    ]
    lived = [course for course in found if course.words != ["leaving"]]
    return sorted(lived, key=lambda one: (one.role, one.born, one.spells[-1].start))


class Roles:
    """The role of each pod: of the template before the change, or of the one after it."""

    def __init__(self, before: Mapping[str, K8s]) -> None:
        self._old = {_origin(pod) for pod in before.values()}

    def __call__(self, pod: K8s) -> str:
        return "old" if _origin(pod) in self._old else "new"


def _origin(pod: K8s) -> tuple[str, ...]:
    images = [entry["image"] for entry in _containers(pod["spec"], "initContainers", "containers")]
    return (pod["metadata"]["ownerReferences"][0]["name"], *images)


def _containers(part: Mapping[str, Any], *keys: str) -> Iterator[Mapping[str, Any]]:
    for key in keys:
        yield from part.get(key) or ()


def word(pod: K8s) -> str:
    """Return the state of a pod in a word: what is wrong, or how far it is, and its restarts."""
    status = pod["status"]
    if pod["metadata"].get("deletionTimestamp"):
        return "leaving"
    if status["phase"] == "Failed" and status.get("reason"):
        return str(status["reason"])
    if status["phase"] == "Succeeded":
        return "done"
    for entry in status.get("conditions") or ():
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            return str(entry["reason"])
    containers = [*_containers(status, "initContainerStatuses", "containerStatuses")]
    restarts = max((entry["restartCount"] for entry in containers), default=0)
    count = f" r{restarts}" if restarts else ""
    for entry in containers:
        if wrong := _wrong(entry.get("state") or {}):
            return wrong + count
    if is_ready(pod):
        return "ready" + count
    return ("up" if status["phase"] == "Running" else "pending") + count


def _wrong(state: Mapping[str, Any]) -> str:
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting and waiting["reason"] not in _PLAIN:
        return str(waiting["reason"])
    if ended and ended["exitCode"]:
        return f"{ended['reason']}({ended['exitCode']})"
    return ""


def _without_glimpses(spells: list[Spell]) -> list[Spell]:
    kept: list[Spell] = []
    for index, spell in enumerate(spells):
        passes = spell.end - spell.start < _PASSING.get(spell.word.split()[0], 0.0)
        if passes and index + 1 < len(spells):
            continue
        if kept and kept[-1].word == spell.word:
            kept[-1] = Spell(spell.word, kept[-1].start, spell.end)
        else:
            kept.append(spell)
    return kept


def messages(sights: Iterable[Sight], end: float) -> set[tuple[str, str]]:
    """Return reason and pattern of every message that a container shows before `end`.

    Messages that are only glimpsed are left out.
    """
    seen: dict[tuple[str, str, str], float] = {}
    for sight in sights:
        for name, pod in sight.pods.items():
            for said in () if pod["metadata"].get("deletionTimestamp") else _messages(pod):
                if sight.at <= end:
                    key = (name, *said)
                    seen[key] = seen.get(key, 0.0) + STEP
    return {(reason, text) for (_, reason, text), lasted in seen.items() if lasted >= GLIMPSE}


def _messages(pod: K8s) -> Iterator[tuple[str, str]]:
    for entry in _containers(pod["status"], "initContainerStatuses", "containerStatuses"):
        for detail in (entry.get("state") or {}).values():
            if detail.get("message"):
                yield detail["reason"], pattern(detail["message"])


def pattern(text: str) -> str:
    """Return a text without what differs from pod to pod and from machine to machine."""
    for varying, mark in _VARYING:
        text = varying.sub(mark, text)
    return text.strip()


_VARYING = [
    (re.compile(r'"[^"]*"'), "<name>"),
    (re.compile(r"(?<=container=)\S+"), "<name>"),
    (re.compile(r"(?<=pod=)\S+"), "<pod>"),
    (re.compile(r"(?<=restarting failed container) \S+ in pod \S+"), ""),
    (re.compile(r"(?<=<name>: )\S+(?=: not found$)"), "<image>"),
    (re.compile(r" Head <name>:"), ""),
    (re.compile(r"\b[\d.]+:\d+\b"), "<address>"),
    (re.compile(r"(?<=Readiness probe failed:).*"), ""),
    (re.compile(r"^\d+/\d+ nodes are available:.*"), "<nodes>"),
    (re.compile(r"^\(combined from similar events\): "), ""),
]


@dataclass(frozen=True)
class Counts:
    """How many pods there are at one moment, apart from those that are leaving."""

    old: int
    new: int
    ready: int
    failed: int


def counts(pods: Iterable[K8s], role_of: Roles) -> Counts:
    """Count pods that are neither leaving nor failed, by role; and those that are ready."""
    old = new = ready = failed = 0
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        if pod["status"]["phase"] == "Failed":
            failed += 1
            continue
        ready += is_ready(pod)
        if role_of(pod) == "old":
            old += 1
        else:
            new += 1
    return Counts(old, new, ready, failed)


def is_observed(workload: K8s) -> bool:
    """Return whether the controller has seen the last change: the status is about it then."""
    status: K8s = workload["status"]
    return bool(status["observedGeneration"] >= workload["metadata"]["generation"])


def status_counts(workload: K8s) -> Mapping[str, int]:
    """Return every count of a workload's status; what the API leaves out is zero."""
    counts = dict.fromkeys(_COUNTED[_kind(workload)], 0)
    return counts | {key: value for key, value in workload["status"].items() if key in counts}


_COUNTED = {
    "Deployment": (
        *("replicas", "updatedReplicas", "readyReplicas"),
        *("availableReplicas", "unavailableReplicas"),
    ),
    "StatefulSet": ("replicas", "updatedReplicas", "readyReplicas", "currentReplicas"),
    "DaemonSet": (
        *("currentNumberScheduled", "desiredNumberScheduled", "updatedNumberScheduled"),
        *("numberReady", "numberAvailable", "numberUnavailable", "numberMisscheduled"),
    ),
}


def _kind(workload: K8s) -> str:
    status = workload["status"]
    if "desiredNumberScheduled" in status:
        return "DaemonSet"
    return "StatefulSet" if "updateRevision" in status else "Deployment"


def conditions(sights: Iterable[Sight], kind: str) -> list[Spell]:
    """Return what a condition of a Deployment said in turn, as soon as it was about the change.

    A condition that is not there is a spell too: of the word `absent`.
    """
    spells: list[Spell] = []
    for sight in sights:
        if sight.at < 0 or not is_observed(sight.workload):
            continue
        found = sight.workload["status"].get("conditions", ())
        said = next((_condition(one) for one in found if one["type"] == kind), "absent")
        if not spells or spells[-1].word != said:
            spells.append(Spell(said, sight.at, sight.at))
        spells[-1] = Spell(said, spells[-1].start, sight.at + STEP)
    # A pod that is being replaced or restarted makes a Deployment unavailable in passing.
    shortest = STARTING if kind == "Available" else STEP
    lasting = [one for one in spells if one.end - one.start > shortest or one is spells[-1]]
    return [one for n, one in enumerate(lasting) if n == 0 or lasting[n - 1].word != one.word]


_IN_PROGRESS = ("NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated")
"""Which of them is seen depends on how the controller's writes fall together."""


def _condition(condition: K8s) -> str:
    reason = condition["reason"]
    return f"{condition['status']} {_IN_PROGRESS[-1] if reason in _IN_PROGRESS else reason}"


def differences_in_time(recorded: Course, played: Course) -> list[str]:
    """Return the states that come too early or too late after the one before."""
    found = []
    if not within(recorded.born, played.born):
        found.append(f"created at {recorded.born:.1f} s, not at {played.born:.1f} s")
    theirs, ours = pairwise(recorded.spells), pairwise(played.spells)
    for (one, following), (our, our_following) in zip(theirs, ours, strict=False):
        took, takes = following.start - one.start, our_following.start - our.start
        if not within(took, takes):
            found.append(f"{one.word} until {following.word}: {took:.1f} s, not {takes:.1f} s")
    return found


def within(recorded: float, played: float) -> bool:
    """Return whether two times agree within the tolerances."""
    return abs(recorded - played) <= LATE + DRIFT * max(0.0, recorded)


def surely_before(end: float) -> float:
    """Return the time before which a step must come that another run shows before `end`."""
    return (end - LATE) / (1 + DRIFT)


def until(course: Course, end: float) -> Course:
    """Return the part of a life before `end`."""
    return replace(course, spells=tuple(one for one in course.spells if one.start < end))
