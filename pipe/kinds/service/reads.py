"""What a look at services reads: from the portal, or where it can be asked, from Kubernetes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from pipe.clock import Deadline
from pipe.kinds.service import cluster_events
from pipe.kinds.service.cluster_view import ClusterLook, ClusterView
from pipe.kinds.service.pods import by_owner
from pipe.kinds.service.rollout import ServiceRollout
from pipe.kinds.service.snapshot import detail
from pipe.kubernetes import Event, Workload
from pipe.model import Change
from pipe.portal import Fault, Pod, Service, TenantPortal

Faults = Mapping[str, tuple[Fault, ...] | None]
"""The faults of each service that did not exist before its change, None if unreadable."""


@dataclass(frozen=True)
class Reads:
    """What one look read, by the names of services; `services` and `faults` are None if left out.

    `workloads` are those that Kubernetes shows; the pods of the others are the portal's.
    """

    pods: Mapping[str, tuple[Pod, ...]]
    workloads: Mapping[str, Workload]
    services: Mapping[str, Service] | None = None
    faults: Faults | None = None

    @property
    def all_by_kubernetes(self) -> bool:
        """Whether Kubernetes shows every service."""
        return self.pods.keys() == self.workloads.keys()


class ServiceReader:
    """Reads services; `events` are those that were read last, at `events_at`."""

    def __init__(self, portal: TenantPortal, cluster: ClusterView | None) -> None:
        self._portal = portal
        self.cluster = cluster
        self.events: Sequence[Event] = ()
        self.events_at = -inf

    def pods(self, names: Collection[str], deadline: Deadline) -> Reads:
        """Return the pods of these services, with as many requests for many as for a few."""
        seen = self.cluster.look(names, deadline) if self.cluster else ClusterLook()
        if seen.workloads.keys() == set(names):
            return Reads(seen.pods, seen.workloads)
        listed = by_owner(self._portal.until(deadline).pods.list())
        pods = {name: seen.pods[name] if name in seen.pods else listed[name] for name in names}
        return Reads(pods, seen.workloads)

    def services(self, names: Sequence[str], deadline: Deadline) -> Mapping[str, Service]:
        """Return the services of these names that exist."""
        return read_services(self._portal.until(deadline), names)

    def faults(
        self, rollouts: Collection[ServiceRollout], reads: Reads, deadline: Deadline
    ) -> Faults:
        """Return the new faults of each service, for which warnings of Kubernetes serve as well."""
        known = reads.workloads if reads.workloads and self.read_events(deadline) else {}
        listed = None
        if any(rollout.service.name not in known for rollout in rollouts):
            listed = self._portal.until(deadline).faults.list()
        faults: dict[str, tuple[Fault, ...] | None] = {}
        for rollout in rollouts:
            name = rollout.service.name
            if name in known:
                faults[name] = cluster_events.warnings(self.events, reads.pods[name])
            else:
                faults[name] = None if listed is None else _new_faults(rollout.change, listed)
        return faults

    def read_events(self, deadline: Deadline, pod: str = "") -> bool:
        """Read warnings of Kubernetes, and all events of one pod; return False if unreadable."""
        events = self.cluster.events(deadline) if self.cluster else None
        self.events_at = deadline.clock.monotonic()
        if events is not None:
            self.events = events
        if pod and self.cluster and (own := self.cluster.events(deadline, pod)):
            others = (event for event in self.events if event.name != pod)
            self.events = (*own, *others)
        return events is not None


def read_services(portal: TenantPortal, names: Sequence[str]) -> Mapping[str, Service]:
    """Return the services of these names that exist, by a single request."""
    if len(names) == 1:
        service = portal.services.find(names[0])
        return {service.name: service} if service else {}
    wanted = set(names)
    return {service.name: service for service in portal.services.list() if service.name in wanted}


def _new_faults(change: Change, faults: Sequence[Fault]) -> tuple[Fault, ...]:
    known = detail(change.before).faults
    if known is None:
        # Any of them may be from before the change.
        return ()
    return tuple(fault for fault in faults if fault.key not in known)
