"""All kinds behind one driver: each call goes to the drivers of the targets it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, assert_never

from pipe.clock import Clock, Deadline
from pipe.kind import Kind
from pipe.kinds.cronjob import CronJobDriver
from pipe.kinds.driver import Driver
from pipe.kinds.ecs import EcsDriver
from pipe.kinds.lambda_ import LambdaDriver
from pipe.kinds.service import ClusterView, ServiceDriver
from pipe.model import Change, Snapshot, Target
from pipe.portal import TenantPortal
from pipe.rollout import Evidence, PodCounts, RolloutEvent, Verdict, Watcher

T = TypeVar("T")


def open_drivers(portal: TenantPortal, clock: Clock, cluster: ClusterView | None = None) -> Drivers:
    """Return the drivers of every kind, for one tenant; services are followed by `cluster`."""
    return Drivers({kind: open_driver(kind, portal, clock, cluster) for kind in Kind})


def open_driver(
    kind: Kind, portal: TenantPortal, clock: Clock, cluster: ClusterView | None = None
) -> Driver:
    """Return the driver of one kind; a kind that is missing here is a type error."""
    match kind:
        case Kind.SERVICE:
            return ServiceDriver(portal, clock, cluster)
        case Kind.ECS:
            return EcsDriver(portal, clock)
        case Kind.LAMBDA:
            return LambdaDriver(portal, clock)
        case Kind.CRONJOB:
            return CronJobDriver(portal, clock)
        case _:
            assert_never(kind)


@dataclass(frozen=True)
class Drivers:
    """Has the methods of a `Driver`, for targets of all kinds together."""

    by_kind: Mapping[Kind, Driver]

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`."""
        snapshots: dict[Target, Snapshot] = {}
        for kind, own in _by_kind({target: target for target in targets}).items():
            snapshots.update(self.by_kind[kind].read(own))
        return snapshots

    def names(self, kind: Kind) -> Iterable[str]:
        """Return the name of every target of one kind."""
        return self.by_kind[kind].names()

    def look_closer(self, changes: Sequence[Change]) -> None:
        """See `Driver`."""
        for kind, own in _by_kind({change.target: change for change in changes}).items():
            self.by_kind[kind].look_closer(own)

    def prepare(self, changes: Sequence[Change], *, is_urgent: bool = False) -> Sequence[Change]:
        """See `Driver`; keeps the order."""
        prepared: dict[Target, Change] = {}
        for kind, own in _by_kind({change.target: change for change in changes}).items():
            ready = self.by_kind[kind].prepare(own, is_urgent=is_urgent)
            prepared.update({change.target: change for change in ready})
        return [prepared[change.target] for change in changes]

    def renewed(self, change: Change, fresh: Snapshot) -> Change:
        """See `Driver`."""
        return self.by_kind[change.target.kind].renewed(change, fresh)

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        rolled_out: dict[Target, bool] = {}
        for kind, own in _by_kind({snapshot.target: snapshot for snapshot in snapshots}).items():
            rolled_out.update(self.by_kind[kind].is_rolled_out(own))
        return rolled_out

    def change(self, change: Change) -> None:
        """See `Driver`."""
        self.by_kind[change.target.kind].change(change)

    def watch(self, changes: Sequence[Change], stable_seconds: float, crash_limit: int) -> Watcher:
        """See `Driver`."""
        own = _by_kind({change.target: change for change in changes})
        watchers = {
            kind: self.by_kind[kind].watch(those, stable_seconds, crash_limit)
            for kind, those in own.items()
        }
        return next(iter(watchers.values())) if len(watchers) == 1 else _Watchers(watchers)

    def address(self, snapshot: Snapshot) -> str:
        """See `Driver`."""
        return self.by_kind[snapshot.target.kind].address(snapshot)

    def previous_images(
        self, snapshot: Snapshot, containers: Collection[str] = ()
    ) -> Mapping[str, str] | None:
        """See `Driver`."""
        return self.by_kind[snapshot.target.kind].previous_images(snapshot, containers)


@dataclass(frozen=True)
class _Watchers(Watcher):
    """The watchers of several kinds, which look one after the other."""

    by_kind: Mapping[Kind, Watcher]

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        verdicts: dict[Target, Verdict] = {}
        for watcher in self.by_kind.values():
            verdicts.update(watcher.look(deadline))
        return verdicts

    def state(self, target: Target) -> str:
        return self.by_kind[target.kind].state(target)

    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        return self.by_kind[target.kind].evidence(target, verdict, deadline)

    def looks_are_cheap(self) -> bool:
        return all(watcher.looks_are_cheap() for watcher in self.by_kind.values())

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        return self.by_kind[target.kind].pod_counts(target)

    def seen_by(self, target: Target) -> str:
        return self.by_kind[target.kind].seen_by(target)

    def events(self, target: Target) -> Sequence[RolloutEvent]:
        return self.by_kind[target.kind].events(target)


def _by_kind(entries: Mapping[Target, T]) -> Mapping[Kind, list[T]]:
    grouped: dict[Kind, list[T]] = defaultdict(list)
    for target, entry in entries.items():
        grouped[target.kind].append(entry)
    return grouped
