"""The interface of a watcher: what following a rollout needs from a kind of target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipe.clock import Deadline
from pipe.model import Target
from pipe.rollout.verdict import Verdict


@dataclass(frozen=True)
class Evidence:
    """Why a target failed, gathered before a rollback removes the traces.

    `pod` is empty where no single pod is to blame. `containers` describe the state of each of its
    containers, a line each. `log_of` names the container that wrote the log, empty for the pod.
    """

    target: Target
    pod: str = ""
    faults: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    log_of: str = ""


@dataclass(frozen=True, slots=True)
class PodCounts:
    """How many pods there were `seconds` into a rollout, for the report's timeline.

    `up` counts the new pods that run, and `ready` those of them that Kubernetes calls ready; it is
    None where readiness is not shown.
    """

    seconds: float
    old: int
    up: int
    starting: int
    ready: int | None = None


@dataclass(frozen=True)
class RolloutEvent:
    """Something that Kubernetes reported about `subject`, first `seconds` into the rollout.

    `subject` is kind and name, such as `Pod/web-5d8f-x2x`. The same event came `count` times.
    """

    seconds: float
    subject: str
    reason: str
    message: str
    count: int = 1
    warning: bool = True


class Watcher(ABC):
    """Follows all changes of one kind, with as many reads for many changes as for a few."""

    @abstractmethod
    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """Read the present state and judge every change."""

    @abstractmethod
    def state(self, target: Target) -> str:
        """Return what the target runs as of the last look, as the rest of a sentence about it."""

    @abstractmethod
    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        """Return the faults and last log lines that explain a failure.

        No request begins after `deadline`, and none takes more than a few seconds.
        """

    def looks_are_cheap(self) -> bool:
        """Return whether there may be several looks a second, as of the last look."""
        return False

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """Return one entry for each look, none for a kind without pods."""
        del target
        return ()

    def seen_by(self, target: Target) -> str:
        """Return whose account of the rollout the verdict rests on."""
        del target
        return "the portal"

    def events(self, target: Target) -> Sequence[RolloutEvent]:
        """Return what Kubernetes reported of the rollout, none where it cannot be asked."""
        del target
        return ()
