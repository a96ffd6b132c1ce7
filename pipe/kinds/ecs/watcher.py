"""Following ECS rollouts by the tenant's list of services."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.kinds.ecs.judge import EcsRollout, counts, judge, observe
from pipe.model import Target
from pipe.portal import EcsService, TenantPortal
from pipe.rollout import Evidence, PodCounts, Verdict, Watcher


class EcsWatcher(Watcher):
    """Follows services from their state `before` to the `wanted` revisions (ARNs)."""

    def __init__(
        self,
        portal: TenantPortal,
        clock: Clock,
        wanted: Mapping[Target, str],
        before: Mapping[Target, EcsService],
        stable_seconds: float,
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._stable_seconds = stable_seconds
        now = clock.monotonic()
        self._rollouts = {
            target: EcsRollout(arn, before[target].definition, before[target], now, now)
            for target, arn in wanted.items()
        }
        self._pod_counts: dict[Target, list[PodCounts]] = defaultdict(list)

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        names = [target.name for target in self._rollouts]
        services = read_services(self._portal.until(deadline), names)
        at = self._clock.monotonic()
        verdicts = {}
        for target, rollout in self._rollouts.items():
            fresh = observe(rollout, services.get(target.name, rollout.service), at)
            self._rollouts[target] = fresh
            self._pod_counts[target].append(_task_counts(fresh))
            verdicts[target] = judge(fresh, self._stable_seconds, deadline.at)
        return verdicts

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        service = self._rollouts[target].service
        running = ", ".join(
            f"{counts(one)} on {one.definition.rpartition('/')[2]}" for one in service.deployments
        )
        revision = service.definition.rpartition("/")[2]
        return f"is set to {revision}, with {running or 'no deployment'}"

    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        """See `Watcher`; returns the service's events, newest first."""
        del verdict, deadline
        return Evidence(target, faults=self._rollouts[target].service.events)

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`; counts tasks."""
        return tuple(self._pod_counts[target])


def _task_counts(rollout: EcsRollout) -> PodCounts:
    deployments = rollout.service.deployments
    ours = [one for one in deployments if one.definition == rollout.wanted]
    others = [one for one in deployments if one.definition != rollout.wanted]
    return PodCounts(
        rollout.at - rollout.started,
        sum(one.running for one in others),
        sum(one.running for one in ours),
        sum(one.pending for one in ours),
    )


def read_services(portal: TenantPortal, names: Sequence[str]) -> Mapping[str, EcsService]:
    """Return the services of these names that exist, with deployments, by one request.

    Older portals list services without deployments and need a request for each service.
    """
    wanted = set(names)
    services = [service for service in portal.ecs.list() if service.name in wanted]
    return {
        service.name: service if service.deployments else portal.ecs.with_deployments(service)
        for service in services
    }
