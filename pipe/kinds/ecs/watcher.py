"""Following ECS rollouts by the tenant's list of services."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.kinds.ecs.judge import EcsRollout, counts, fold, judge
from pipe.model import Target
from pipe.portal import EcsService, TenantPortal
from pipe.rollout import Evidence, PodCounts, Verdict, Watcher


class EcsWatcher(Watcher):
    """See `Watcher`. `wanted` holds the revisions to be run, `before` the services until now."""

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
        self._started = clock.monotonic()
        self._tracks = {
            target: EcsRollout(arn, before[target].definition, before[target], self._started)
            for target, arn in wanted.items()
        }
        self._pod_counts: dict[Target, list[PodCounts]] = defaultdict(list)

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        names = [target.name for target in self._tracks]
        services = read_services(self._portal.until(deadline), names)
        at = self._clock.monotonic()
        for target, track in self._tracks.items():
            self._tracks[target] = fold(track, services.get(target.name, track.service), at)
            self._sample(target)
        return {
            target: judge(track, self._stable_seconds, deadline.at)
            for target, track in self._tracks.items()
        }

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        service = self._tracks[target].service
        running = ", ".join(
            f"{counts(one)} on {one.definition.rpartition('/')[2]}" for one in service.deployments
        )
        asked = service.definition.rpartition("/")[2]
        return f"asks for {asked}, with {running or 'no deployment'}"

    def evidence(self, target: Target, verdict: Verdict) -> Evidence:
        """See `Watcher`; what AWS noted last, newest first."""
        del verdict
        return Evidence(target, "", self._tracks[target].service.events, ())

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`."""
        return tuple(self._pod_counts[target])

    def _sample(self, target: Target) -> None:
        track = self._tracks[target]
        ours = [one for one in track.service.deployments if one.definition == track.wanted]
        others = [one for one in track.service.deployments if one.definition != track.wanted]
        self._pod_counts[target].append(
            PodCounts(
                track.at - self._started,
                sum(one.running for one in others),
                sum(one.running for one in ours),
                sum(one.pending for one in ours),
            )
        )


def read_services(portal: TenantPortal, names: Sequence[str]) -> Mapping[str, EcsService]:
    """The services of these names that exist, with deployments, by one request.

    Portals that lack the newer list are asked for the deployments of each service.
    """
    wanted = set(names)
    found = [service for service in portal.ecs.list() if service.name in wanted]
    return {
        service.name: service if service.deployments else portal.ecs.with_deployments(service)
        for service in found
    }
