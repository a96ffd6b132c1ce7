"""Several kinds of targets as one: each call goes to the drivers that it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipe.clock import Clock, Deadline
from pipe.kind import Kind
from pipe.kinds.cronjob import CronJobDriver
from pipe.kinds.driver import Driver
from pipe.kinds.ecs import EcsDriver
from pipe.kinds.lambda_ import LambdaDriver
from pipe.kinds.service import ServiceDriver
from pipe.model import Change, Snapshot, Target
from pipe.portal import TenantPortal
from pipe.rollout import Evidence, PodCounts, Verdict, Watcher

T = TypeVar("T")


def open_drivers(portal: TenantPortal, clock: Clock) -> Drivers:
    """Everything that can be a target in a tenant."""
    return Drivers(
        {
            Kind.SERVICE: ServiceDriver(portal, clock),
            Kind.ECS: EcsDriver(portal, clock),
            Kind.LAMBDA: LambdaDriver(portal, clock),
            Kind.CRONJOB: CronJobDriver(portal, clock),
        }
    )


@dataclass(frozen=True)
class Drivers:
    """Behaves like a `Driver` whose targets are of many."""

    by_name: Mapping[Kind, Driver]

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`."""
        found: dict[Target, Snapshot] = {}
        for kind, own in _by_kind({target: target for target in targets}).items():
            found.update(self.by_name[kind].read(own))
        return found

    def names(self, kind: Kind) -> Iterable[str]:
        """The names there are of one kind."""
        return self.by_name[kind].names()

    def prepare(self, changes: Sequence[Change]) -> Sequence[Change]:
        """See `Driver`; the order stays."""
        prepared: dict[Target, Change] = {}
        for kind, own in _by_kind({change.target: change for change in changes}).items():
            prepared.update({change.target: change for change in self.by_name[kind].prepare(own)})
        return [prepared[change.target] for change in changes]

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        found: dict[Target, bool] = {}
        for kind, own in _by_kind({one.target: one for one in snapshots}).items():
            found.update(self.by_name[kind].is_rolled_out(own))
        return found

    def change(self, change: Change) -> None:
        """See `Driver`."""
        self.by_name[change.target.kind].change(change)

    def watch(self, changes: Sequence[Change], stable_seconds: float) -> Watcher:
        """See `Driver`."""
        own = _by_kind({change.target: change for change in changes})
        watchers = {
            kind: self.by_name[kind].watch(those, stable_seconds) for kind, those in own.items()
        }
        return next(iter(watchers.values())) if len(watchers) == 1 else _Watchers(watchers)

    def address(self, snapshot: Snapshot) -> str:
        """See `Driver`."""
        return self.by_name[snapshot.target.kind].address(snapshot)

    def previous_images(self, snapshot: Snapshot) -> Mapping[str, str] | None:
        """See `Driver`."""
        return self.by_name[snapshot.target.kind].previous_images(snapshot)


@dataclass(frozen=True)
class _Watchers(Watcher):
    """One watcher per kind, looked through one after the other."""

    by_kind: Mapping[Kind, Watcher]

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        verdicts: dict[Target, Verdict] = {}
        for watcher in self.by_kind.values():
            verdicts.update(watcher.look(deadline))
        return verdicts

    def state(self, target: Target) -> str:
        return self.by_kind[target.kind].state(target)

    def evidence(self, target: Target, verdict: Verdict) -> Evidence:
        return self.by_kind[target.kind].evidence(target, verdict)

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        return self.by_kind[target.kind].pod_counts(target)


def _by_kind(by_target: Mapping[Target, T]) -> Mapping[Kind, list[T]]:
    found: dict[Kind, list[T]] = defaultdict(list)
    for target, entry in by_target.items():
        found[target.kind].append(entry)
    return found
