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
"""The container's name in task definitions that the portal creates itself."""


@dataclass(frozen=True)
class EcsDetail:
    """The part of an ECS service's snapshot that other kinds lack."""

    service: EcsService
    definition: TaskDefinition
    main: str


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
        services = read_services(self._portal, [target.name for target in targets])
        return {
            target: self._snapshot(target, services[target.name])
            for target in targets
            if target.name in services
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
        """See `Driver`; registers a revision unless it exists, and points the service to it.

        A revision that no service uses does no harm, so after a lost reply another one is
        registered.
        """
        before = detail(change.before)
        arn = None if isinstance(change, Restart) else self._existing(before, change.images)
        if arn is None:
            arn = self._register(change, before)
        self._sent[change.target] = arn

        def has_arrived() -> bool:
            return any(
                service.name == before.service.name
                # AWS may have rolled it back by then, but a deployment shows that it arrived.
                and arn in (service.definition, *(one.definition for one in service.deployments))
                for service in self._portal.ecs.list()
            )

        SendOnce(self._clock).send(
            str(change.target), lambda: self._portal.ecs.update(before.service, arn), has_arrived
        )

    def watch(
        self, changes: Sequence[Change], stable_seconds: float, crash_limit: int
    ) -> EcsWatcher:
        """See `Driver`."""
        del crash_limit
        wanted = {
            change.target: detail(change.before).definition.arn
            if change.resumes
            else self._sent[change.target]
            for change in changes
        }
        before = {change.target: detail(change.before).service for change in changes}
        return EcsWatcher(self._portal, self._clock, wanted, before, stable_seconds)

    def _register(self, change: Change, before: EcsDetail) -> str:
        images = _by_container(before, change.images)
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
        by_container = _by_container(before, images)
        return next(
            (
                definition.arn
                for definition in tuple(self._definitions.values())
                if before.definition.differs_only_by(by_container, definition)
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
            definition = self._portal.ecs.task_definition(service.definition)
            self._definitions[service.definition] = definition
        definition = self._definitions[service.definition]
        main = _main(definition, service.name)
        images = {MAIN if name == main else name: i for name, i in definition.images.items()}
        return Snapshot(
            target, images, service.definition, EcsDetail(service, definition, main), main=main
        )


def detail(snapshot: Snapshot) -> EcsDetail:
    """Return the part of an ECS service's snapshot that other kinds lack."""
    if not isinstance(snapshot.detail, EcsDetail):
        raise TypeError(snapshot)
    return snapshot.detail


def _main(definition: TaskDefinition, service: str) -> str:
    names = list(definition.images)
    return next((name for name in (_DEFAULT, service) if name in names), names[0])


def _by_container(before: EcsDetail, images: Mapping[str, str]) -> Mapping[str, str]:
    """Return images by the containers' own names."""
    return {before.main if name == MAIN else name: image for name, image in images.items()}
