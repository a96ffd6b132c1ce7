"""Services as Kubernetes itself shows them, for as long as it can be asked.

It is asked for once. Whatever fails, the portal's view serves instead: for all services when
access is refused or lost, for one when its workload is not found. Each is one line of the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from pipe.clock import Clock, Deadline
from pipe.errors import PipeError, PlatformError, Unreachable
from pipe.kinds.service.pods import by_owner, is_terminating
from pipe.kubernetes import (
    REMEDY,
    REMEDY_FOR_RIGHTS,
    RIGHTS,
    Cluster,
    Event,
    Right,
    Workload,
    WorkloadKind,
    selector,
)
from pipe.portal import Pod, Service

log = logging.getLogger(__name__)

_PODS_AGE = 0.9
"""Seconds after which pods are read again although their workloads are unchanged."""
_INSTEAD = (
    "The rollout is followed by what the portal shows: readiness, events and the log of a crashed "
    "container cannot be seen."
)


@dataclass(frozen=True)
class ClusterLook:
    """One look: the workloads that were found, by service, and the pods of their services.

    The pods were read at `at` on the monotonic clock.
    """

    workloads: Mapping[str, Workload] = field(default_factory=dict)
    pods: Mapping[str, tuple[Pod, ...]] = field(default_factory=dict)
    at: float = -inf

    @property
    def is_consistent(self) -> bool:
        """Whether as many pods are ready as the workloads count: these are read before."""
        return all(
            sum(pod.ready is True and not is_terminating(pod) for pod in self.pods[name])
            == workload.ready
            for name, workload in self.workloads.items()
        )


class ClusterView:
    """Looks at services by Kubernetes' own API; `is_required` makes a refusal an error."""

    def __init__(self, connect: Callable[[], Cluster], clock: Clock, *, is_required: bool) -> None:
        self._connect = connect
        self._clock = clock
        self._is_required = is_required
        self._was_opened = False
        self._cluster: Cluster | None = None
        self._kinds: dict[str, WorkloadKind] = {}
        self._missing: frozenset[str] = frozenset()
        self._last = ClusterLook()

    @property
    def cluster(self) -> Cluster | None:
        """The cluster, None while it cannot be asked."""
        return self._cluster

    def open(self, services: Sequence[Service]) -> None:
        """Gain access for following these services, once, unless none is in Kubernetes.

        Raises `PlatformError` for a failure if Kubernetes is required.
        """
        kinds = {one.name: workload_kind(one) for one in services if not one.native_docker}
        if self._was_opened or not kinds:
            return
        self._was_opened = True
        try:
            cluster = self._connect()
            self._check_rights(cluster, set(kinds.values()))
            found = find_workloads(cluster, kinds)
            if absent := sorted(kinds.keys() - found.keys()):
                self._note_absent(cluster, absent, kinds)
        except PipeError as error:
            if self._is_required:
                raise PlatformError(
                    f"Kubernetes cannot be used, as KUBERNETES: 'true' requires: {error.diagnosis}",
                    REMEDY if isinstance(error, Unreachable) else error.remedy,
                ) from error
            log.info("Kubernetes cannot be used: %s %s", error.diagnosis, _INSTEAD)
            return
        self._cluster, self._kinds = cluster, {name: kinds[name] for name in found}
        end = f", access until {cluster.issued.end.shown}" if cluster.issued.end else ""
        log.info(
            "Kubernetes %s, namespace %s%s", cluster.issued.host, cluster.issued.namespace, end
        )

    def look(self, names: Collection[str], deadline: Deadline | None = None) -> ClusterLook:
        """Return the present state of these services, without those that cannot be seen.

        Whether a pod becomes ready, or is no longer, shows in its workload. So pods are read again
        when a workload has changed, and every second for what else befalls them.
        """
        kinds = {name: self._kinds[name] for name in names if name in self._kinds}
        if not self._cluster or not kinds:
            return ClusterLook()
        cluster = self._cluster.until(deadline) if deadline else self._cluster
        try:
            workloads = find_workloads(cluster, kinds)
            for name in sorted(kinds.keys() - workloads.keys()):
                self.leave(name, f"{kinds[name]} {name} is no longer there")
            now, last = self._clock.monotonic(), self._last
            if not workloads:
                return ClusterLook()
            if workloads == last.workloads and now - last.at < _PODS_AGE and last.is_consistent:
                return last
            pods = by_owner(cluster.pods(selector(workloads.values())))
        except PlatformError as error:
            self._lose(error)
            return ClusterLook()
        self._last = ClusterLook(workloads, {name: pods[name] for name in workloads}, now)
        return self._last

    def events(self, deadline: Deadline | None = None, name: str = "") -> tuple[Event, ...] | None:
        """Return the warnings there are, or all events of one object; None if unreadable."""
        if not self._cluster or "list events" in self._missing:
            return None
        cluster = self._cluster.until(deadline) if deadline else self._cluster
        try:
            return cluster.events(name)
        except PlatformError as error:
            log.debug("no events: %s", error.diagnosis)
            if isinstance(error, Unreachable):
                self._lose(error)
            return None

    def log_tail(
        self, pod: Pod, container: str, deadline: Deadline, *, previous: bool
    ) -> tuple[str, ...]:
        """Return the last log lines of a container, none where they cannot be read."""
        if not self._cluster or "get pods/log" in self._missing:
            return ()
        try:
            cluster = self._cluster.until(deadline)
            return cluster.log_tail(pod.name, container, previous=previous)
        except PlatformError as error:
            log.debug("no log of %s: %s", pod.name, error.diagnosis)
            return ()

    def leave(self, name: str, reason: str) -> None:
        """Look at a service no longer; the portal's view serves for it."""
        if self._kinds.pop(name, None):
            log.warning("%s: %s. It is followed by what the portal shows.", name, reason)

    def _check_rights(self, cluster: Cluster, kinds: Collection[WorkloadKind]) -> None:
        missing = cluster.missing_rights(needed_rights(kinds))
        self._missing = frozenset(map(str, missing))
        if required := [right for right in missing if right.required]:
            raise lacking(cluster, required)
        if missing:
            log.info(
                "Without the rights to %s in Kubernetes, a failure is explained by less.",
                _listed(sorted(self._missing)),
            )

    def _note_absent(
        self, cluster: Cluster, absent: Sequence[str], kinds: Mapping[str, WorkloadKind]
    ) -> None:
        where = f"in namespace {cluster.issued.namespace} of {cluster.issued.host}"
        listed = _listed([f"{kinds[name]} {name}" for name in absent])
        if self._is_required or len(absent) == len(kinds):
            raise PlatformError(
                f"There is no {listed} {where}.",
                "Check that the portal runs the service under its own name, or set KUBERNETES: "
                "'auto' to follow the rollout by what the portal shows.",
            )
        log.info("There is no %s %s. %s", listed, where, _INSTEAD)

    def _lose(self, error: PlatformError) -> None:
        self._cluster = None
        log.warning("Kubernetes cannot be asked any more: %s %s", error.diagnosis, _INSTEAD)


def needed_rights(kinds: Collection[WorkloadKind]) -> Sequence[Right]:
    """Return the rights that following workloads of these kinds takes."""
    others = {kind.plural for kind in WorkloadKind if kind not in kinds}
    return [right for right in RIGHTS if right.resource not in others]


def lacking(cluster: Cluster, rights: Iterable[Right]) -> PlatformError:
    """Return the error for rights that the token lacks."""
    return PlatformError(
        f"The token that the portal issued for {cluster.issued.host} lacks the rights to "
        f"{_listed(map(str, rights))} in namespace {cluster.issued.namespace}.",
        REMEDY_FOR_RIGHTS,
    )


def workload_kind(service: Service) -> WorkloadKind:
    """Return what runs the pods of a service, which bears its name."""
    if service.flags.get("IsDaemonset"):
        return WorkloadKind.DAEMON_SET
    if service.flags.get("ForceStatefulSet"):
        return WorkloadKind.STATEFUL_SET
    return WorkloadKind.DEPLOYMENT


def find_workloads(cluster: Cluster, kinds: Mapping[str, WorkloadKind]) -> dict[str, Workload]:
    """Return the workloads of these names, with a single request for each kind."""
    found: dict[str, Workload] = {}
    for kind in dict.fromkeys(kinds.values()):
        names = [name for name, own in kinds.items() if own is kind]
        found.update({one.name: one for one in cluster.workloads(kind, names) if one.name in names})
    return found


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
