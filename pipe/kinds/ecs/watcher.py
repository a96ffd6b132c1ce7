"""Following ECS rollouts by the tenant's list of services.

The tasks of a service are only listed when some of them ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipe.clock import Clock, Deadline
from pipe.errors import PipeError
from pipe.kinds import full_names
from pipe.kinds.ecs import reasons
from pipe.kinds.ecs.judge import judge, state
from pipe.kinds.ecs.rollout import EcsRollout, family, has_lost_tasks, observe, with_tasks
from pipe.kinds.ecs.snapshot import main_container
from pipe.model import Target
from pipe.portal import EcsService, EcsTask, EcsTasks, TenantPortal
from pipe.rollout import Evidence, PodCounts, Verdict, Watcher

_MOST_REVISIONS = 20
"""Revisions of other deployments that are read for their images, in all."""


class EcsWatcher(Watcher):
    """Follows services from the beginning of their `rollouts`."""

    def __init__(
        self,
        portal: TenantPortal,
        clock: Clock,
        rollouts: Mapping[Target, EcsRollout],
        stable_seconds: float,
        crash_limit: int,
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._stable_seconds = stable_seconds
        self._crash_limit = crash_limit
        self._rollouts = dict(rollouts)
        self._images: dict[str, str] = {}
        self._pod_counts: dict[Target, list[PodCounts]] = defaultdict(list)

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        portal = self._portal.until(deadline)
        services = read_services(portal, list(self._rollouts))
        at = self._clock.monotonic()
        verdicts = {}
        for target, rollout in self._rollouts.items():
            fresh = observe(rollout, services.get(target), at)
            fresh = self._with_images(portal, fresh)
            if has_lost_tasks(rollout, fresh):
                fresh = with_tasks(fresh, _tasks(portal, fresh))
            self._rollouts[target] = fresh
            self._pod_counts[target].append(_task_counts(fresh))
            verdicts[target] = judge(fresh, self._stable_seconds, self._crash_limit)
        return verdicts

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        return state(self._rollouts[target])

    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        """See `Watcher`; returns why tasks stopped, and the service's events, newest first."""
        del verdict
        rollout = self._rollouts[target]
        if not deadline.passed():
            rollout = with_tasks(rollout, _tasks(self._portal.until(deadline), rollout))
        stopped = reasons.summary(rollout.crashed.values())
        return Evidence(target, faults=(*stopped, *reasons.faults(rollout.new_events)))

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`; counts tasks."""
        return tuple(self._pod_counts[target])

    def _with_images(self, portal: TenantPortal, rollout: EcsRollout) -> EcsRollout:
        """Return the rollout with the images of other deployments' revisions added."""
        service = rollout.service
        seen = {service.definition, *(one.definition for one in service.deployments)}
        for arn in sorted(seen - rollout.images.keys() - self._images.keys() - {""}):
            if len(self._images) < _MOST_REVISIONS:
                self._images[arn] = _image(portal, arn, rollout)
        return replace(rollout, images={**self._images, **rollout.images})


def read_services(portal: TenantPortal, targets: Sequence[Target]) -> Mapping[Target, EcsService]:
    """Return the services that exist, with deployments, by one request.

    A service goes by the name that the portal shows, and by the full one that AWS knows. Older
    portals list services without deployments and need a request for each service.
    """
    listed = portal.ecs.list()
    services = {service.full_name: service for service in listed}
    services |= {service.name: service for service in listed}
    found = {}
    for target in targets:
        if name := full_names.full_name(target.name, portal.tenant.name, services):
            found[target] = services[name]
    full_names.check_distinct({target: service.full_name for target, service in found.items()})
    return {
        target: service if service.deployments else portal.ecs.with_deployments(service)
        for target, service in found.items()
    }


def _tasks(portal: TenantPortal, rollout: EcsRollout) -> Sequence[EcsTask]:
    """Return the tasks of the wanted revision's family, none where they cannot be read.

    They explain a failure; that they cannot be read must not become one.
    """
    try:
        return EcsTasks(portal.scope).list(family(rollout.wanted)) or ()
    except PipeError:
        return ()


def _image(portal: TenantPortal, arn: str, rollout: EcsRollout) -> str:
    """Return the image of a revision's container, empty where it cannot be read."""
    try:
        definition = portal.ecs.task_definition(arn)
    except PipeError:
        return ""
    main = main_container(definition, rollout.service)
    return definition.images.get(rollout.container, definition.images[main])


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
