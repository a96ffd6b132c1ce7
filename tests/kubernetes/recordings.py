"""Read the recordings in `traces`, and what Kubernetes itself reports in them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Any

from tests.kubernetes.compact import JOBS
from tests.kubernetes.portal_view import K8s

FOLDER = Path(__file__).parent / "traces"
JUST_AFTER = 0.2
"""The first look at a recorded change came within this many seconds of it."""


@dataclass(frozen=True, eq=False)
class Moment:
    """The objects from `at` on (seconds since the change); unchanged ones are the same objects.

    `events` are all warnings so far; one that was counted up is there once, with its last count.
    A `workload` that does not exist, as a job before its creation, is empty.
    """

    at: float
    workload: K8s
    pods: Mapping[str, K8s]
    events: tuple[K8s, ...] = ()


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording: `kind` of its workload `web`, its moments, and what was done when.

    The first moment is the state before the change; `length` is when the recording ends.
    """

    name: str
    kind: str
    steps: tuple[tuple[float, str], ...]
    length: float
    moments: tuple[Moment, ...] = field(repr=False)

    def at(self, seconds: float) -> Moment:
        """Return the state at a time since the change."""
        index = bisect_right(self.moments, seconds, key=lambda moment: moment.at)
        return self.moments[max(0, index - 1)]

    def rollout(self, start: float) -> tuple[Moment, ...]:
        """Return the moments of the change made at `start`, until another change replaced it."""
        if len(self.moments) == 1:
            return self.moments
        template = self.at(start + JUST_AFTER).workload["spec"]["template"]
        later = (moment for moment in self.moments if moment.at > start)
        return tuple(takewhile(lambda one: one.workload["spec"]["template"] == template, later))

    def available_since(self, start: float, *, fully: bool) -> float:
        """Return when Kubernetes first called the revision set at `start` available, or infinity.

        See `is_available` for `fully`.
        """
        found = (
            moment.at
            for moment in self.rollout(start)
            if is_available(moment.workload, self.kind, fully=fully)
        )
        return next(found, inf)


def names() -> list[str]:
    """Return the names of all recordings of services."""
    return [name for name in _every_name() if not name.startswith(JOBS)]


def job_names() -> list[str]:
    """Return the names of all recordings of jobs."""
    return [name for name in _every_name() if name.startswith(JOBS)]


def _every_name() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


@cache
def load(name: str) -> Recording:
    """Read one recording."""
    head, *lines = map(json.loads, (FOLDER / f"{name}.jsonl").read_text().splitlines())
    moments: list[Moment] = []
    latest = Moment(0.0, {}, {})
    for line in lines:
        latest = _next(latest, line)
        moments.append(latest)
    steps = tuple((at, what) for at, what in head["steps"])
    return Recording(name, head["kind"], steps, head["length"], tuple(moments))


def _next(latest: Moment, line: Mapping[str, Any]) -> Moment:
    pods = {**latest.pods, **line.get("pods", {})}
    counted = {_identity(event): event for event in (*latest.events, *line.get("events", ()))}
    return replace(
        latest,
        at=line["t"],
        workload=line.get("workload", latest.workload) or {},
        pods={name: pod for name, pod in pods.items() if pod is not None},
        events=tuple(counted.values()),
    )


def _identity(event: K8s) -> tuple[str, ...]:
    subject = event["involvedObject"]
    return subject["kind"], subject["name"], event["reason"], event["message"]


def is_available(workload: K8s, kind: str, *, fully: bool) -> bool:
    """Return whether Kubernetes calls a workload available in its wanted revision.

    These are the conditions of `kubectl rollout status`. Not `fully`: no pod of another revision
    is left, and the Deployment has its minimum of available pods, all the evidence there can be
    where readiness is not shown.
    """
    status, generation = workload["status"], workload["metadata"]["generation"]
    if status.get("observedGeneration", 0) < generation:
        return False
    if kind == "DaemonSet":
        desired = status.get("desiredNumberScheduled", 0)
        updated, available = (
            status.get(key, 0) for key in ("updatedNumberScheduled", "numberAvailable")
        )
        return bool(updated >= desired and available >= desired)
    wanted = workload["spec"]["replicas"]
    updated = status.get("updatedReplicas", 0)
    if updated < wanted or status.get("replicas", 0) > updated:
        return False
    if kind == "StatefulSet":
        # A set only replaces a pod of another revision once that pod is ready.
        return bool(status.get("readyReplicas", 0) >= wanted)
    if fully:
        return bool(status.get("availableReplicas", 0) >= updated)
    return any(
        entry["type"] == "Available" and entry["status"] == "True"
        for entry in status.get("conditions", ())
    )
