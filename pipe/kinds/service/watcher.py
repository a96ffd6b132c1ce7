"""Following services: which reads a look needs.

Every look reads the tenant's pods. While pods are coming up, services are read at every second
look: one may be scaled meanwhile, or changed by another deployment. While only time is missing, the
pods alone are enough; what happens to them makes the same look read services. They are read once
more before a final verdict. Faults are read at once when a pod shows a problem, and in turn while
pods are coming up: rarely where pods show the states of their containers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.errors import PipeError
from pipe.kinds.service import evidence, problems
from pipe.kinds.service.judge import judge, state
from pipe.kinds.service.pods import by_owner, has_failed, is_terminating
from pipe.kinds.service.rollout import Look, ServiceRollout, observe, start
from pipe.kinds.service.snapshot import detail
from pipe.model import Change, Target
from pipe.portal import Fault, Pod, Service, TenantPortal
from pipe.rollout import Evidence, PodCounts, Ready, Verdict, Waiting, Watcher

_FAULTS_EVERY, _FAULTS_EVERY_BESIDE_STATES = 2, 6
"""At each how many looks faults are read while pods come up without a problem.

Where pods show present states, these show every problem that ends a rollout.
"""


class ServiceWatcher(Watcher):
    """Follows services by the tenant's lists of pods, services and faults."""

    def __init__(
        self,
        portal: TenantPortal,
        clock: Clock,
        changes: Sequence[Change],
        stable_seconds: float,
        crash_limit: int,
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._stable_seconds = stable_seconds
        self._crash_limit = crash_limit
        now = clock.monotonic()
        self._rollouts = {change.target: start(change, now) for change in changes}
        self._pod_counts: dict[Target, list[PodCounts]] = defaultdict(list)
        self._looks = 0
        self._verdicts: Mapping[Target, Verdict] = {}

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        portal = self._portal.until(deadline)
        pods = self._read_pods(portal)
        needs_services = self._needs_services()
        services = self._read_services(portal) if needs_services else None
        needs_faults = self._needs_faults(pods, reads_services=needs_services)
        faults = portal.faults.list() if needs_faults else None
        self._looks += 1
        verdicts = self._judge(pods, services, faults, deadline)
        if faults is None and self._may_hide_crashes(verdicts):
            faults = portal.faults.list()
            verdicts = self._judge(pods, services, faults, deadline)
        if services is None and (again := self._confirm(portal, verdicts)) is not None:
            verdicts = self._judge(pods, again, faults, deadline)
        for target, rollout in self._rollouts.items():
            self._pod_counts[target].append(_pod_counts(rollout))
        self._verdicts = verdicts
        return verdicts

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        return state(self._rollouts[target])

    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        """See `Watcher`."""
        return evidence.gather(target, self._rollouts[target], verdict, self._portal, deadline)

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`."""
        return tuple(self._pod_counts[target])

    def _read_pods(self, portal: TenantPortal) -> Mapping[str, tuple[Pod, ...]]:
        pods = by_owner(portal.pods.list())
        return {target.name: pods[target.name] for target in self._rollouts}

    def _read_services(self, portal: TenantPortal) -> Mapping[str, Service]:
        return read_services(portal, [target.name for target in self._rollouts])

    def _needs_services(self) -> bool:
        """Return whether to read services: until all were set, then at every second look.

        While all that is missing is time, the pods alone are enough.
        """
        all_were_set = all(rollout.was_set for rollout in self._rollouts.values())
        in_turn = self._looks % 2 == 0 and not _only_time_is_missing(self._verdicts)
        return not all_were_set or in_turn

    def _needs_faults(self, pods: Mapping[str, tuple[Pod, ...]], *, reads_services: bool) -> bool:
        """Return whether to read faults: to explain a problem, or in turn while pods come up."""
        troubled = [
            pod
            for rollout in self._rollouts.values()
            for pod in pods[rollout.change.target.name]
            if not pod.is_steady
            if not is_terminating(pod) and not has_failed(pod, rollout.service)
        ]
        if any(problems.find_problem(pod, ()) for pod in troubled):
            return True
        # New pods that are up may not be ready: then previous pods remain.
        lacks_pods = any(
            rollout.pods.previous or not rollout.pods.new for rollout in self._rollouts.values()
        )
        is_troubled = lacks_pods or any(not problems.is_up(pod) for pod in troubled)
        return is_troubled and not reads_services and self._is_turn_of_faults()

    def _is_turn_of_faults(self) -> bool:
        show_states = all(rollout.shows_state for rollout in self._rollouts.values())
        every = _FAULTS_EVERY_BESIDE_STATES if show_states else _FAULTS_EVERY
        return self._looks % every == every - 1

    def _may_hide_crashes(self, verdicts: Mapping[Target, Verdict]) -> bool:
        """Return whether pods may seem to run between crashes, which then only faults show."""
        return any(
            isinstance(verdict, Ready)
            and self._rollouts[target].pods.new
            and not self._rollouts[target].shows_state
            for target, verdict in verdicts.items()
        )

    def _confirm(
        self, portal: TenantPortal, verdicts: Mapping[Target, Verdict]
    ) -> Mapping[str, Service] | None:
        """Read services again before a final verdict, or after a fall; return None otherwise.

        Success requires it. A failure is reported even if the portal does not respond.
        """
        has_fallen = _only_time_is_missing(self._verdicts) and not _only_time_is_missing(verdicts)
        if has_fallen or any(isinstance(verdict, Ready) for verdict in verdicts.values()):
            return self._read_services(portal)
        if all(isinstance(verdict, Waiting) for verdict in verdicts.values()):
            return None
        try:
            return self._read_services(portal)
        except PipeError:
            return None

    def _judge(
        self,
        pods: Mapping[str, tuple[Pod, ...]],
        services: Mapping[str, Service] | None,
        faults: Sequence[Fault] | None,
        deadline: Deadline,
    ) -> Mapping[Target, Verdict]:
        """Add a look to every rollout, and return the verdicts."""
        at = self._clock.monotonic()
        for target, rollout in self._rollouts.items():
            # A service that vanished is taken as last seen; its pods show what became of it.
            service = None if services is None else services.get(target.name, rollout.service)
            new_faults = None if faults is None else _new_faults(rollout.change, faults)
            look = Look(at, pods[target.name], service, new_faults)
            self._rollouts[target] = observe(rollout, look)
        return {
            target: judge(rollout, self._stable_seconds, self._crash_limit, deadline.at)
            for target, rollout in self._rollouts.items()
        }


def read_services(portal: TenantPortal, names: Sequence[str]) -> Mapping[str, Service]:
    """Return the services of these names that exist, by a single request."""
    if len(names) == 1:
        service = portal.services.find(names[0])
        return {service.name: service} if service else {}
    wanted = set(names)
    return {service.name: service for service in portal.services.list() if service.name in wanted}


def _only_time_is_missing(verdicts: Mapping[Target, Verdict]) -> bool:
    return bool(verdicts) and all(
        isinstance(verdict, Ready) or (isinstance(verdict, Waiting) and verdict.until)
        for verdict in verdicts.values()
    )


def _new_faults(change: Change, faults: Sequence[Fault]) -> tuple[Fault, ...]:
    known = detail(change.before).faults
    if known is None:
        # Any of them may be from before the change.
        return ()
    return tuple(fault for fault in faults if fault.key not in known)


def _pod_counts(rollout: ServiceRollout) -> PodCounts:
    new = len(rollout.pods.new)
    return PodCounts(
        rollout.at - rollout.started,
        len(rollout.pods.previous),
        rollout.up,
        max(0, new - rollout.up),
    )
