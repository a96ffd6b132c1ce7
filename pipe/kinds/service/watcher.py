"""Following services: which reads a look needs.

Every look reads the tenant's pods. While pods are coming up, services are read at every second
look: one may be scaled meanwhile, or changed by another deployment. While only time is missing, the
pods alone are enough; what happens to them makes the same look read services. They are read once
more before a final verdict. Faults are read at once when a pod shows a problem, and in turn while
pods are coming up: rarely where pods show the states of their containers.

Where Kubernetes can be asked, its workloads and pods take the place of the portal's pods, and its
events that of the faults. The workloads show changes as well, so services are read only until the
portal has taken the change, and before a final verdict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pipe.clock import Clock, Deadline
from pipe.errors import PipeError
from pipe.kinds.service import cluster_events, evidence, problems
from pipe.kinds.service.cluster_view import ClusterView
from pipe.kinds.service.judge import judge, state
from pipe.kinds.service.pods import has_failed, is_terminating, seems_over
from pipe.kinds.service.reads import Reads, ServiceReader
from pipe.kinds.service.rollout import Look, ServiceRollout, observe, start
from pipe.model import Change, Target
from pipe.portal import Service, TenantPortal
from pipe.rollout import Evidence, PodCounts, Ready, RolloutEvent, Verdict, Waiting, Watcher

_LATEST_ARRIVAL = 30.0
"""Seconds in which the portal must have passed a change on to Kubernetes.

It usually does at once. After that, the workload may not be the one that the portal changes.
"""

_FAULTS_EVERY, _FAULTS_EVERY_BESIDE_STATES = 2, 6
"""At each how many looks faults are read while pods come up without a problem.

Where pods show present states, these show every problem that ends a rollout.
"""
_EVENTS_AGE = 2.0
"""Seconds after which the events of Kubernetes are read again in the same case."""
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
        in_turn = self._is_turn_of_services(reads)
        if in_turn and not _seem_over(self._rollouts, reads):
            reads = replace(reads, services=self._reader.services(self._names, deadline))
        if _needs_faults(self._rollouts.values(), reads, in_turn=self._is_turn_of_faults(reads)):
            reads = self._with_faults(reads, deadline)
        self._looks += 1
        verdicts = self._judge(reads)
        # Of a rollout that has not come to its end, the last words should name the cause.
        is_last = reads.all_by_kubernetes and deadline.passed()
        if reads.faults is None and (is_last or _may_hide_crashes(self._rollouts, verdicts)):
            reads = self._with_faults(reads, deadline)
            verdicts = self._judge(reads)
        again = self._confirm(verdicts, deadline, in_turn) if reads.services is None else None
        if again is not None:
            verdicts = self._judge(replace(reads, services=again))
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

    def _is_turn_of_services(self, reads: Reads) -> bool:
        """Return whether to read services: until all were set, then at every second look.

        While all that is missing is time, the pods alone are enough, or where Kubernetes shows
        what services are set to.
        """
        if not all(rollout.was_set for rollout in self._rollouts.values()):
            return True
        if reads.all_by_kubernetes:
            return False
        return self._looks % 2 == 0 and not _only_time_is_missing(self._verdicts)

    def _is_turn_of_faults(self, reads: Reads) -> bool:
        if reads.all_by_kubernetes:
            return self._clock.monotonic() - self._reader.events_at >= _EVENTS_AGE
        show_states = all(rollout.shows_state for rollout in self._rollouts.values())
        every = _FAULTS_EVERY_BESIDE_STATES if show_states else _FAULTS_EVERY
        return self._looks % every == every - 1

    def _confirm(
        self, verdicts: Mapping[Target, Verdict], deadline: Deadline, in_turn: bool
    ) -> Mapping[str, Service] | None:
        """Read services again before a final verdict, or after a fall; return None otherwise.

        Success requires it; a failure is reported even if the portal does not respond. In their
        turn, services are read unless only time is missing.
        """
        was_expected = in_turn or _only_time_is_missing(self._verdicts)
        has_fallen = was_expected and not _only_time_is_missing(verdicts)
        if has_fallen or any(isinstance(verdict, Ready) for verdict in verdicts.values()):
            return self._reader.services(self._names, deadline)
        is_open = all(isinstance(verdict, Waiting) for verdict in verdicts.values())
        if is_open and not deadline.passed():
            return None
        try:
            return self._reader.services(self._names, deadline)
        except PipeError:
            return None

    def _judge(self, reads: Reads) -> Mapping[Target, Verdict]:
        """Add a look to every rollout, and return the verdicts."""
        at = self._clock.monotonic()
        services, faults = reads.services, reads.faults
        for target, rollout in self._rollouts.items():
            # A service that vanished is taken as last seen; its pods show what became of it.
            service = None if services is None else services.get(target.name, rollout.service)
            new_faults = None if faults is None else faults[target.name]
            workload = reads.workloads.get(target.name)
            if workload != rollout.workload:
                self._changed_at = at
            look = Look(at, reads.pods[target.name], service, new_faults, workload)
            self._rollouts[target] = observe(rollout, look)
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


def _seem_over(rollouts: Mapping[Target, ServiceRollout], reads: Reads) -> bool:
    """Return whether only time may be missing now, as far as the pods alone show it.

    Services are read later then, for the verdict: that it is so must be judged first.
    """
    return all(
        rollout.was_set and seems_over(rollout.change, reads.pods[target.name])
        for target, rollout in rollouts.items()
    )


def _may_hide_crashes(
    rollouts: Mapping[Target, ServiceRollout], verdicts: Mapping[Target, Verdict]
) -> bool:
    """Return whether pods may seem to run between crashes, which then only faults show."""
    return any(
        isinstance(verdict, Ready)
        and rollouts[target].pods.new
        and not rollouts[target].shows_state
        for target, verdict in verdicts.items()
    )


def _only_time_is_missing(verdicts: Mapping[Target, Verdict]) -> bool:
    return bool(verdicts) and all(
        isinstance(verdict, Ready) or (isinstance(verdict, Waiting) and verdict.until)
        for verdict in verdicts.values()
    )


def _needs_faults(rollouts: Collection[ServiceRollout], reads: Reads, *, in_turn: bool) -> bool:
    """Return whether to read faults: to explain a problem, or in turn while pods come up."""
    troubled = [
        pod
        for rollout in rollouts
        for pod in reads.pods[rollout.change.target.name]
        if not pod.is_steady
        if not is_terminating(pod) and not has_failed(pod, rollout.service)
    ]
    if any(problems.find_problem(pod, ()) for pod in troubled):
        return True
    # New pods that are up may not be ready: then previous pods remain.
    lacks_pods = any(rollout.pods.previous or not rollout.pods.new for rollout in rollouts)
    is_troubled = lacks_pods or any(not problems.is_up(pod) for pod in troubled)
    return is_troubled and reads.services is None and in_turn


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
