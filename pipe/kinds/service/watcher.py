"""Following services: a look reads what is due, adds it to every rollout, and judges them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipe.clock import Clock, Deadline
from pipe.errors import PipeError
from pipe.kinds.service import cluster_events, evidence, problems
from pipe.kinds.service.cadence import Need, Turn, may_hide_crashes
from pipe.kinds.service.cluster_view import ClusterView
from pipe.kinds.service.judge import judge, state
from pipe.kinds.service.reads import Reads, ServiceReader
from pipe.kinds.service.rollout import Look, ServiceRollout, observe, start
from pipe.model import Change, Target
from pipe.portal import Service, TenantPortal
from pipe.rollout import Evidence, PodCounts, RolloutEvent, Verdict, Watcher

_LATEST_ARRIVAL = 30.0
"""Seconds in which the portal must have passed a change on to Kubernetes.

It usually does at once. After that, the workload may not be the one that the portal changes.
"""

_LIVELY = 15.0
"""Seconds without a change of any workload after which the next one may be noticed later."""


class ServiceWatcher(Watcher):
    """Follows services by the tenant's lists of pods, services and faults.

    Where `cluster` can be asked, it is preferred.
    """

    def __init__(
        self,
        portal: TenantPortal,
        clock: Clock,
        changes: Sequence[Change],
        stable_seconds: float,
        crash_limit: int,
        *,
        cluster: ClusterView | None = None,
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._reader = ServiceReader(portal, cluster)
        self._stable_seconds = stable_seconds
        self._crash_limit = crash_limit
        now = clock.monotonic()
        self._began = clock.now()
        self._rollouts = {change.target: start(change, now) for change in changes}
        self._names = [change.target.name for change in changes]
        self._pod_counts: dict[Target, list[PodCounts]] = defaultdict(list)
        self._looks = 0
        self._changed_at = now
        self._verdicts: Mapping[Target, Verdict] = {}

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        reads = self._reader.pods(self._names, deadline)
        events_age = self._clock.monotonic() - self._reader.events_at
        turn = Turn(self._looks, self._rollouts, self._verdicts, reads, events_age)
        if turn.includes_services:
            reads = replace(reads, services=self._reader.services(self._names, deadline))
        if turn.includes_faults:
            reads = self._with_faults(reads, deadline)
        self._looks += 1
        verdicts = self._judge(reads)
        # Of a rollout that has not come to its end, the last words should name the cause.
        is_last = reads.all_by_kubernetes and deadline.passed()
        if reads.faults is None and (is_last or may_hide_crashes(self._rollouts, verdicts)):
            reads = self._with_faults(reads, deadline)
            verdicts = self._judge(reads)
        if reads.services is None:
            need = turn.need_of_services(verdicts, is_last=deadline.passed())
            services = self._services_for_verdict(need, deadline)
            if services is not None:
                verdicts = self._judge(replace(reads, services=services))
        for target, rollout in self._rollouts.items():
            self._pod_counts[target].append(_pod_counts(rollout))
            _leave_if_missed(self._reader.cluster, rollout)
        self._verdicts = verdicts
        return verdicts

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        return state(self._rollouts[target])

    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        """See `Watcher`."""
        rollout, cluster, found = self._rollouts[target], self._reader.cluster, None
        if cluster and rollout.workload:
            pod = evidence.pod_to_blame(rollout, verdict)
            self._reader.read_events(deadline, pod.name if pod else "")
            events = self._reader.events
            found = cluster_events.gather(rollout, pod, events, cluster, deadline)
            if found and (found.log or not found.pod):
                return found
        shown = evidence.gather(target, rollout, verdict, self._portal, deadline)
        return (
            replace(found, log=shown.log, faults=found.faults or shown.faults) if found else shown
        )

    def looks_are_cheap(self) -> bool:
        """See `Watcher`: where Kubernetes is asked, as long as something goes on there."""
        is_lively = self._clock.monotonic() - self._changed_at < _LIVELY
        return is_lively and all(rollout.workload for rollout in self._rollouts.values())

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`."""
        return tuple(self._pod_counts[target])

    def events(self, target: Target) -> Sequence[RolloutEvent]:
        """See `Watcher`."""
        return cluster_events.since(self._began, self._rollouts[target], self._reader.events)

    def seen_by(self, target: Target) -> str:
        """See `Watcher`."""
        return "Kubernetes" if self._rollouts[target].workload else super().seen_by(target)

    def _with_faults(self, reads: Reads, deadline: Deadline) -> Reads:
        faults = self._reader.faults(self._rollouts.values(), reads, deadline)
        return replace(reads, faults=faults)

    def _services_for_verdict(self, need: Need, deadline: Deadline) -> Mapping[str, Service] | None:
        if need is Need.NONE:
            return None
        try:
            return self._reader.services(self._names, deadline)
        except PipeError:
            if need is Need.REQUIRED:
                raise
            return None

    def _judge(self, reads: Reads) -> Mapping[Target, Verdict]:
        """Add a look to every rollout, and return the verdicts."""
        at = self._clock.monotonic()
        services, faults = reads.services, reads.faults
        observed = {}
        for target, rollout in self._rollouts.items():
            # A service that vanished is taken as last seen; its pods show what became of it.
            service = None if services is None else services.get(target.name, rollout.service)
            new_faults = None if faults is None else faults[target.name]
            workload = reads.workloads.get(target.name)
            if workload != rollout.workload:
                self._changed_at = at
            look = Look(at, reads.pods[target.name], service, new_faults, workload)
            observed[target] = observe(rollout, look)
        self._rollouts = observed
        return {
            target: judge(rollout, self._stable_seconds, self._crash_limit)
            for target, rollout in self._rollouts.items()
        }


def _leave_if_missed(cluster: ClusterView | None, rollout: ServiceRollout) -> None:
    """Go back to the portal's view of a service whose change does not reach Kubernetes."""
    is_missed = rollout.workload and rollout.was_set and rollout.arrived is None
    if cluster and is_missed and rollout.at - rollout.started >= _LATEST_ARRIVAL:
        cluster.leave(
            rollout.service.name,
            f"the portal's change has not reached Kubernetes in {_LATEST_ARRIVAL:g} s",
        )


def _pod_counts(rollout: ServiceRollout) -> PodCounts:
    up, new = rollout.up, rollout.pods.new
    if rollout.workload:
        up += sum(pod.incarnation not in rollout.up_since and problems.runs(pod) for pod in new)
    return PodCounts(
        rollout.at - rollout.started,
        len(rollout.pods.previous),
        up,
        max(0, len(new) - up),
        rollout.up if rollout.workload else None,
    )
