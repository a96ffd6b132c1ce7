"""Reading and changing ECS services."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipe.clock import Clock
from pipe.errors import Refused
from pipe.kinds.driver import Driver
from pipe.kinds.ecs.rollout import EcsRollout, is_complete, revision, start
from pipe.kinds.ecs.snapshot import (
    EcsDetail,
    by_container,
    current_revision,
    detail,
    named_container,
    snapshot,
)
from pipe.kinds.ecs.watcher import EcsWatcher, read_services
from pipe.kinds.send_once import SendOnce
from pipe.model import Change, Restart, Snapshot, Target
from pipe.portal import EcsService, TaskDefinition, TenantPortal

log = logging.getLogger(__name__)


class EcsDriver(Driver):
    """Reads and changes ECS services.

    Has no `previous_images`: earlier revisions exist, but nothing shows which of them ever ran.
    """

    def __init__(self, portal: TenantPortal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock
        self._definitions: dict[str, TaskDefinition] = {}
        self._sent: dict[Target, str] = {}

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`; a revision never changes, so each one is read once."""
        services = read_services(self._portal, targets)
        return {
            target: snapshot(target, service, self._current(target, service))
            for target, service in services.items()
        }

    def names(self) -> Iterable[str]:
        """See `Driver`."""
        return [service.name for service in self._portal.ecs.list()]

    def prepare(self, changes: Sequence[Change], *, is_urgent: bool = False) -> Sequence[Change]:
        """See `Driver`.

        A deployment that failed cannot be followed to a good end: it is made again. A service that
        AWS has rolled back is set to a revision even where AWS runs it already, because the portal
        must not go on to show another one.
        """
        del is_urgent
        return [_again(change) for change in changes]

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        return {
            found.target: is_complete(detail(found).service, detail(found).definition.arn)
            for found in snapshots
        }

    def change(self, change: Change) -> None:
        """See `Driver`; registers a revision unless it exists, and points the service to it.

        A revision that no service uses does no harm, so after a lost reply another one is
        registered.
        """
        before = detail(change.before)
        arn = None if isinstance(change, Restart) else self._existing(before, change.images)
        if arn is not None and before.has_failed(arn):
            # AWS starts no deployment of the revision that it has.
            arn = None
        if arn is not None:
            try:
                self._point(change.target, before.service, arn)
            except Refused as error:
                if "inactive" not in error.diagnosis.lower():
                    raise
                log.info("%s: %s was deregistered meanwhile.", change.target, revision(arn))
            else:
                return
        self._point(change.target, before.service, self._register(change, before))

    def watch(
        self, changes: Sequence[Change], stable_seconds: float, crash_limit: int
    ) -> EcsWatcher:
        """See `Driver`."""
        rollouts = {change.target: self._start(change) for change in changes}
        return EcsWatcher(self._portal, self._clock, rollouts, stable_seconds, crash_limit)

    def _start(self, change: Change) -> EcsRollout:
        before, container = detail(change.before), named_container(change)
        service, definition = before.service, before.definition
        wanted = definition.arn if change.resumes else self._sent[change.target]
        images = {definition.arn: definition.images.get(container, "")}
        images[wanted] = by_container(before, change.wanted)[container]
        primary = {service.primary.definition} if service.primary else set()
        return start(
            service,
            wanted,
            {service.definition, definition.arn, *primary},
            self._clock.monotonic(),
            container=container,
            images=images,
            resumed=change.resumes is not None,
        )

    def _point(self, target: Target, service: EcsService, arn: str) -> None:
        """Set a service to a revision, once."""
        self._sent[target] = arn

        def has_arrived() -> bool:
            return any(
                now.name == service.name and _has_arrived(arn, service, now)
                for now in self._portal.ecs.list()
            )

        SendOnce(self._clock).send(
            str(target), lambda: self._portal.ecs.update(service, arn), has_arrived
        )

    def _register(self, change: Change, before: EcsDetail) -> str:
        images = by_container(before, change.images)
        arns: list[str] = []
        SendOnce(self._clock).send(
            str(change.target),
            lambda: arns.append(self._portal.ecs.register(before.definition, images)),
        )
        log.debug("%s: registered %s", change.target, arns[-1])
        return arns[-1]

    def _existing(self, before: EcsDetail, images: Mapping[str, str]) -> str | None:
        """Return a revision that this run has read and that has these images.

        A rollback thereby returns to the very revision from before.
        """
        named = by_container(before, images)
        return next(
            (
                definition.arn
                for definition in tuple(self._definitions.values())
                if definition.active and before.definition.differs_only_by(named, definition)
            ),
            None,
        )

    def _current(self, target: Target, service: EcsService) -> TaskDefinition:
        """Return the revision that a service runs, or is about to run."""
        if not service.definition:
            raise Refused(
                f"The ECS service {service.name} shows no task definition.",
                "Look at it in the portal: it must have been set up completely.",
            )
        arn = service.definition
        if arn != self._sent.get(target):
            # What this run itself has just sent may not have reached AWS yet.
            arn = current_revision(service)
        if arn not in self._definitions:
            self._definitions[arn] = self._portal.ecs.task_definition(arn)
        return self._definitions[arn]


def _has_arrived(arn: str, before: EcsService, now: EcsService) -> bool:
    """Return whether a service was set to a revision since `before`.

    AWS may have rolled it back by now, but then lists a deployment that was not there before. The
    previous revision's own is listed all along.
    """
    past = {(one.definition, one.id, one.primary) for one in before.deployments}
    return now.definition == arn or any(
        one.definition == arn and (arn, one.id, one.primary) not in past for one in now.deployments
    )


def _again(change: Change) -> Change:
    """Return a change to make instead of one that an earlier run made, where that is no use."""
    before = detail(change.before)
    if change.resumes is None:
        return change
    if before.has_failed(before.definition.arn):
        log.info("%s: its last deployment failed; it is deployed again.", change.target)
    elif not before.is_reverted:
        return change
    return replace(change, resumes=None)
