"""Reading and changing ECS services."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.errors import Refused
from pipe.kinds.driver import Driver
from pipe.kinds.ecs.judge import is_complete
from pipe.kinds.ecs.watcher import EcsWatcher, read_services
from pipe.kinds.send_once import SendOnce
from pipe.model import MAIN, Change, Restart, Snapshot, Target
from pipe.portal import EcsService, TaskDefinition, TenantPortal

log = logging.getLogger(__name__)

_DEFAULT = "default"
"""What the portal calls the container of the definitions that it makes itself."""


@dataclass(frozen=True)
class EcsDetail:
    """What an ECS service's snapshot keeps besides images."""

    service: EcsService
    definition: TaskDefinition
    main: str


class EcsDriver(Driver):
    """See `Driver`. Earlier revisions exist, but nothing tells which of them ever ran."""

    def __init__(self, portal: TenantPortal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock
        self._definitions: dict[str, TaskDefinition] = {}
        self._sent: dict[Target, str] = {}

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`; each definition is asked for once, because it never changes."""
        found = read_services(self._portal, [target.name for target in targets])
        return {
            target: self._snapshot(target, found[target.name])
            for target in targets
            if target.name in found
        }

    def names(self) -> Iterable[str]:
        """See `Driver`."""
        return [service.name for service in self._portal.ecs.list()]

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        return {
            snapshot.target: is_complete(detail(snapshot).service, detail(snapshot).definition.arn)
            for snapshot in snapshots
        }

    def change(self, change: Change) -> None:
        """See `Driver`: a revision, then the service on it.

        A revision that nobody points to harms nobody; one more is registered when the reply
        got lost.
        """
        before = detail(change.before)
        arn = None if isinstance(change, Restart) else self._known(before, change.images)
        if arn is None:
            arn = self._register(change, before)
        self._sent[change.target] = arn

        def arrived() -> bool:
            return any(
                service.name == before.service.name
                # AWS may have rolled it back by then; its deployment tells that it was there.
                and arn in (service.definition, *(one.definition for one in service.deployments))
                for service in self._portal.ecs.list()
            )

        SendOnce(self._clock).send(
            str(change.target), lambda: self._portal.ecs.update(before.service, arn), arrived
        )

    def watch(self, changes: Sequence[Change], stable_seconds: float) -> EcsWatcher:
        """See `Driver`."""
        wanted = {
            change.target: detail(change.before).definition.arn
            if change.resumes
            else self._sent[change.target]
            for change in changes
        }
        before = {change.target: detail(change.before).service for change in changes}
        return EcsWatcher(self._portal, self._clock, wanted, before, stable_seconds)

    def _register(self, change: Change, before: EcsDetail) -> str:
        images = _by_name(before, change.images)
        arns: list[str] = []
        SendOnce(self._clock).send(
            str(change.target),
            lambda: arns.append(self._portal.ecs.register(before.definition, images)),
        )
        log.debug("%s: registered %s", change.target, arns[-1])
        return arns[-1]

    def _known(self, before: EcsDetail, images: Mapping[str, str]) -> str | None:
        """A revision seen in this run that is what a new one would be: the one to go back to."""
        named = _by_name(before, images)
        return next(
            (
                definition.arn
                for definition in tuple(self._definitions.values())
                if before.definition.differs_only_by(named, definition)
            ),
            None,
        )

    def _snapshot(self, target: Target, service: EcsService) -> Snapshot:
        if not service.definition:
            raise Refused(
                f"The ECS service {service.name} shows no task definition.",
                "Look at it in the portal: it must have been set up completely.",
            )
        if service.definition not in self._definitions:
            found = self._portal.ecs.task_definition(service.definition)
            self._definitions[service.definition] = found
        definition = self._definitions[service.definition]
        main = _main(definition, service.name)
        images = {MAIN if name == main else name: i for name, i in definition.images.items()}
        detail_ = EcsDetail(service, definition, main)
        return Snapshot(target, images, service.definition, detail_, main=main)


def detail(snapshot: Snapshot) -> EcsDetail:
    """The part of an ECS service's snapshot that only this kind can read."""
    if not isinstance(snapshot.detail, EcsDetail):
        raise TypeError(snapshot)
    return snapshot.detail


def _main(definition: TaskDefinition, service: str) -> str:
    names = list(definition.images)
    return next((name for name in (_DEFAULT, service) if name in names), names[0])


def _by_name(before: EcsDetail, images: Mapping[str, str]) -> Mapping[str, str]:
    """Images by the containers' own names."""
    return {before.main if name == MAIN else name: image for name, image in images.items()}
