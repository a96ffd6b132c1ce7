"""What a kind of target must be able to do, and what one does that has nothing to add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipe.clock import Deadline
from pipe.model import Change, Snapshot, Target
from pipe.rollout import Verdict


@dataclass(frozen=True)
class Evidence:
    """Why a target failed, gathered before anything removes the traces."""

    target: Target
    pod: str
    faults: tuple[str, ...]
    log: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """How many pods there were at one moment of a rollout, for the report's timeline."""

    seconds: float
    old: int
    up: int
    starting: int


class Watcher(Protocol):
    """Follows several changes of one kind with reads whose number does not depend on theirs."""

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """Look once and judge every change."""

    def state(self, target: Target) -> str:
        """What runs now, as the last look saw it, for people."""

    def evidence(self, target: Target, verdict: Verdict) -> Evidence:
        """Faults and last log lines that explain a bad verdict."""

    def samples(self, target: Target) -> Sequence[Sample]:
        """One entry per look, none where there are no pods to count."""
        del target
        return ()


class Driver(Protocol):
    """Reads and changes targets of one kind; `change` may be called from several threads."""

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """The present state; targets that do not exist are absent."""

    def known(self) -> Iterable[str]:
        """Every name there is, for suggesting the right one."""

    def prepare(self, changes: Sequence[Change]) -> Sequence[Change]:
        """The changes with everything remembered that tells old from new afterwards."""
        return changes

    def settled(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """Whether each target fully runs what it is to run, without anything to follow."""

    def change(self, change: Change) -> None:
        """Make the change, once; a lost reply is looked up, not sent again."""

    def watch(self, changes: Sequence[Change], stable_seconds: float) -> Watcher:
        """Begin to follow changes that have just been made."""

    def address(self, snapshot: Snapshot) -> str:
        """Scheme and host under which people reach the target; empty when the portal tells none."""
        del snapshot
        return ""

    def previous(self, snapshot: Snapshot) -> Mapping[str, str] | None:
        """The images before the present ones; None when the portal keeps no history of them."""
        del snapshot
        return None
