"""What was observed of one ECS service's rollout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipe.kinds.ecs import reasons
from pipe.portal import Deployment, EcsService, EcsTask, Event

_STARTED = re.compile(r"has started (\d+) tasks")


@dataclass(frozen=True)
class EcsRollout:
    """Everything observed of one service's rollout. Times are monotonic seconds.

    `wanted` and `previous` are revisions, by ARN; `images` holds the image of `container` in
    each of them, which is what people know it by. `past` holds the ids of deployments, and
    `past_events` the events, that are not of this rollout; `first_events` are those that the first
    look found. `desired` is the number of tasks where the change sets nothing else.

    `ours` is the deployment of the wanted revision as last seen, None before AWS started it and
    once it is no longer listed; `since` is when AWS started it. `listed` is whether the last look
    found the service at all. `was_set` is true once the service was seen to be set to the wanted
    revision, `was_deployed` once AWS was seen to deploy it. `complete_since` is None while it is
    not complete.

    Tasks that ended are counted in three ways, because AWS shows none of them reliably: `failed`
    by the deployment's own count, which was `counted` when last seen, `fallen` by the number of
    running tasks, and `crashed` one by one, by the list of tasks, which counts where it
    `shows_stops`.
    """

    wanted: str
    previous: frozenset[str]
    service: EcsService
    started: float
    at: float
    container: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    past: frozenset[str] = frozenset()
    past_events: frozenset[Event] = frozenset()
    first_events: frozenset[Event] = frozenset()
    desired: int | None = None
    ours: Deployment | None = None
    since: datetime | None = None
    listed: bool = True
    was_set: bool = False
    was_deployed: bool = False
    complete_since: float | None = None
    failed: int = 0
    counted: int = 0
    fallen: int = 0
    crashed: Mapping[str, EcsTask] = field(default_factory=dict)
    shows_stops: bool = False

    def name(self, arn: str) -> str:
        """Return the image of a revision, or the revision where its image is not known."""
        return self.images.get(arn) or revision(arn)

    @property
    def crashes(self) -> int:
        """How many tasks of the new revision ended by themselves, or never started."""
        if self.shows_stops:
            return max(self.failed, len(self.crashed))
        return max(self.failed, self.fallen, self.replaced)

    @property
    def replaced(self) -> int:
        """How many tasks AWS had to start in place of others."""
        if self.ours is None or self.since is None:
            return 0
        # An event names no deployment: a resumed one may be older than others that failed since.
        new = (event for event in self.new_events if event not in self.first_events)
        dated = (event for event in new if event.created is not None)
        return max(0, sum(map(_tasks_started, dated)) - self.ours.desired)

    @property
    def new_events(self) -> tuple[Event, ...]:
        """The events of this rollout, newest first."""
        since = self.since
        return tuple(
            event
            for event in self.service.events
            if event not in self.past_events
            and (since is None or event.created is None or event.created >= since)
        )

    @property
    def cause(self) -> str:
        """Why tasks stop or do not start, empty while nothing shows it."""
        newest = next(reversed(tuple(self.crashed.values())), None)
        if newest is not None:
            return reasons.why(newest)
        return next(iter(reasons.faults(self.new_events)), "")


_NONE = Deployment("", None, "", False, "", "", 0, 0, 0, 0)


def start(
    service: EcsService,
    wanted: str,
    previous: Iterable[str],
    at: float,
    *,
    container: str,
    images: Mapping[str, str],
    resumed: bool,
    desired: int | None = None,
) -> EcsRollout:
    """Return the rollout of a service to `wanted`, which is just beginning unless `resumed`.

    A previous revision is still listed while its tasks are replaced: unless AWS makes it the
    primary one again, its deployment is no sign of a rollback to it.
    """
    past = {
        one.id
        for one in service.deployments
        if one.id
        and not (resumed and one.definition == wanted and (one.primary or one.state == "FAILED"))
    }
    return EcsRollout(
        wanted=wanted,
        previous=frozenset(previous) - {wanted},
        service=service,
        started=at,
        at=at,
        container=container,
        images=images,
        past=frozenset(past),
        desired=desired,
        first_events=frozenset(service.events),
        past_events=frozenset() if resumed else frozenset(service.events),
    )


def observe(rollout: EcsRollout, service: EcsService | None, at: float) -> EcsRollout:
    """Return the rollout with one more look added; None for a service that was not listed."""
    if service is None:
        return replace(rollout, at=at, listed=False, complete_since=None)
    ours = _ours(rollout, service)
    before, now = rollout.ours or _NONE, ours or _NONE
    # Scaling down takes away only what is more than desired.
    fell = max(0, min(before.running, now.desired) - now.running)
    counted = ours.failed if ours else rollout.counted
    is_scaled = rollout.desired in (None, now.desired)
    complete = is_scaled and is_complete(service, rollout.wanted)
    return replace(
        rollout,
        service=service,
        at=at,
        listed=True,
        ours=ours,
        since=(now.created if ours else None) or rollout.since,
        was_set=rollout.was_set or service.definition == rollout.wanted or ours is not None,
        was_deployed=rollout.was_deployed or ours is not None,
        complete_since=(rollout.complete_since or at) if complete else None,
        failed=rollout.failed + max(0, counted - rollout.counted),
        counted=counted,
        fallen=rollout.fallen + fell,
    )


def with_tasks(rollout: EcsRollout, tasks: Iterable[EcsTask]) -> EcsRollout:
    """Return the rollout with the tasks of the wanted revision's family added."""
    ours = rollout.ours.id if rollout.ours else ""
    stopped = {
        task.arn: task
        for task in tasks
        if task.stopped
        and task.definition == rollout.wanted
        and (not ours or not task.deployment or task.deployment == ours)
    }
    crashed = {arn: task for arn, task in stopped.items() if reasons.is_crash(task)}
    return replace(
        rollout,
        crashed={**rollout.crashed, **crashed},
        shows_stops=rollout.shows_stops or bool(stopped),
    )


def has_lost_tasks(before: EcsRollout, now: EcsRollout) -> bool:
    """Return whether tasks ended between two looks, so that their list is worth a request."""
    failed_now = now.ours is not None and now.ours.state == "FAILED"
    return (
        now.failed > before.failed
        or now.fallen > before.fallen
        or now.replaced > before.replaced
        or (failed_now and not now.shows_stops)
        or (now.ours is None and before.ours is not None)
    )


def is_complete(service: EcsService, wanted: str) -> bool:
    """Return whether the deployment of `wanted` is the primary one and complete.

    After a rollback by AWS the previous revision is primary and complete: the ARN decides.
    """
    ours = service.primary
    if ours is None or ours.definition != wanted or service.definition not in ("", wanted):
        return False
    if ours.state:
        return ours.state == "COMPLETED" and ours.running >= ours.desired
    others = (one for one in service.deployments if not one.primary)
    settled = ours.running == ours.desired and ours.pending == 0
    return settled and not any(one.running or one.pending for one in others)


def revision(arn: str) -> str:
    """Return family and number of a revision."""
    return arn.rpartition("/")[2]


def family(arn: str) -> str:
    """Return the family of a revision."""
    return revision(arn).rpartition(":")[0]


def _ours(rollout: EcsRollout, service: EcsService) -> Deployment | None:
    """Return the deployment of the wanted revision, the primary one if there are several."""
    primary = service.primary
    if primary is not None and primary.definition == rollout.wanted:
        return primary
    return next(
        (
            one
            for one in service.deployments
            if one.definition == rollout.wanted
            and (rollout.was_deployed or (one.id and one.id not in rollout.past))
        ),
        None,
    )


def _tasks_started(event: Event) -> int:
    found = _STARTED.search(event.message)
    return int(found[1][:6]) if found else 0
