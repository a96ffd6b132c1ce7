"""Reading and changing services."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pipe import image
from pipe.clock import Clock
from pipe.kinds.driver import Driver
from pipe.kinds.send_once import SendOnce
from pipe.kinds.service.address import address, listener
from pipe.kinds.service.cluster_view import ClusterLook, ClusterView
from pipe.kinds.service.judge import is_complete
from pipe.kinds.service.pods import (
    VersionedPods,
    by_owner,
    by_version,
    identities,
    owner,
    runs_already,
)
from pipe.kinds.service.reads import read_services
from pipe.kinds.service.rollout import Look, is_set_to, observe, start
from pipe.kinds.service.snapshot import ServiceDetail, detail, take_snapshot
from pipe.kinds.service.watcher import ServiceWatcher
from pipe.kubernetes import Workload
from pipe.model import MAIN, Change, Restart, Resumption, Snapshot, Target, Update
from pipe.portal import Fault, Pod, TenantPortal

_URGENT = 10.0
"""Seconds for the pods and faults before a rollback, which does without them."""


class ServiceDriver(Driver):
    """Reads and changes services."""

    def __init__(
        self, portal: TenantPortal, clock: Clock, cluster: ClusterView | None = None
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._cluster = cluster

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`."""
        services = read_services(self._portal, [target.name for target in targets])
        return {
            target: take_snapshot(target, services[target.name])
            for target in targets
            if target.name in services
        }

    def names(self) -> Iterable[str]:
        """See `Driver`."""
        return [service.name for service in self._portal.services.list()]

    def look_closer(self, changes: Sequence[Change]) -> None:
        """See `Driver`; gains access to Kubernetes."""
        if self._cluster:
            self._cluster.open([detail(change.before).service for change in changes])

    def prepare(self, changes: Sequence[Change], *, is_urgent: bool = False) -> Sequence[Change]:
        """See `Driver`; notes the pods, their restarts and the faults there are."""
        portal = self._portal.within(_URGENT) if is_urgent else self._portal
        names = [change.target.name for change in changes]
        seen = self._cluster.look(names) if self._cluster else ClusterLook()
        listed = () if seen.workloads.keys() == set(names) else portal.pods.list()
        pods, faults = {**by_owner(listed), **seen.pods}, portal.faults.list()
        return [
            _prepared(
                change,
                pods.get(change.target.name, ()),
                faults,
                seen.workloads.get(change.target.name),
            )
            for change in changes
        ]

    def renewed(self, change: Change, fresh: Snapshot) -> Change:
        """See `Driver`; keeps what was noted of the pods."""
        noted = replace(detail(change.before), service=detail(fresh).service)
        return change.with_snapshot(replace(fresh, detail=noted))

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        pods, faults = by_owner(self._portal.pods.list()), self._portal.faults.list()
        now = self._clock.monotonic()
        return {
            snapshot.target: _is_rolled_out(
                snapshot, Look(now, pods[snapshot.target.name], detail(snapshot).service, faults)
            )
            for snapshot in snapshots
        }

    def change(self, change: Change) -> None:
        """See `Driver`."""
        SendOnce(self._clock).send(
            str(change.target), lambda: self._send(change), lambda: self._has_arrived(change)
        )

    def watch(
        self, changes: Sequence[Change], stable_seconds: float, crash_limit: int
    ) -> ServiceWatcher:
        """See `Driver`."""
        return ServiceWatcher(
            self._portal, self._clock, changes, stable_seconds, crash_limit, cluster=self._cluster
        )

    def address(self, snapshot: Snapshot) -> str:
        """See `Driver`."""
        service = detail(snapshot).service
        entry = listener(service)
        if entry is None:
            return ""
        return address(service, entry) or address(
            service, entry, self._portal.services.load_balancer(service)
        )

    def previous_images(
        self, snapshot: Snapshot, containers: Collection[str] = ()
    ) -> Mapping[str, str] | None:
        """See `Driver`."""
        for deployed in reversed(detail(snapshot).service.history):
            differing = {
                name: previous
                for name, previous in deployed.items()
                if (not containers or name in containers)
                and name in snapshot.images
                and not image.same(previous, snapshot.images[name])
            }
            if differing:
                return differing
        return None

    def _send(self, change: Change) -> None:
        service = detail(change.before).service
        if isinstance(change, Restart):
            self._portal.services.restart(service)
        elif change.configuration:
            former = detail(change.former).service if change.former else None
            self._portal.services.configure(service, change.images, change.configuration, former)
        else:
            self._portal.services.change_images(service, change.images)

    def _has_arrived(self, change: Change) -> bool:
        """Return whether the portal made the change although its reply was lost."""
        service = self._portal.services.find(change.target.name)
        if service is None:
            return False
        if isinstance(change, Update):
            return is_set_to(change, service)
        before = detail(change.before)
        if service.restarted_at != before.service.restarted_at:
            return True
        if not change.previous_pods:
            return False
        own = [pod for pod in self._portal.pods.list() if owner(pod) == change.target.name]
        return bool(by_version(change, own, VersionedPods()).new)


def _prepared(
    change: Change,
    pods: Sequence[Pod],
    faults: Sequence[Fault] | None,
    workload: Workload | None,
) -> Change:
    """Return a change with the state of its service's pods from before it."""
    known = faults
    if known is not None and change.resumes:
        # The change was made earlier: faults of present pods may be faults of the new version.
        names = {pod.name for pod in pods}
        known = [fault for fault in known if not names & fault.resources]
    restarts = {pod.name: pod.restarts for pod in pods}
    keys = None if known is None else frozenset(fault.key for fault in known)
    before = ServiceDetail(detail(change.before).service, restarts, keys, workload)
    prepared = change.with_snapshot(replace(change.before, detail=before))
    if change.resumes:
        return prepared
    previous = frozenset(one for pod in pods for one in identities(pod))
    surviving = (identities(pod) for pod in pods if runs_already(prepared, pod))
    return replace(prepared, previous_pods=previous.difference(*surviving))


def _is_rolled_out(snapshot: Snapshot, look: Look) -> bool:
    """Return whether a service fully runs its present images."""
    unchanged = Update(snapshot, {MAIN: snapshot.images[MAIN]}, Resumption())
    return is_complete(observe(start(unchanged, look.at), look))
