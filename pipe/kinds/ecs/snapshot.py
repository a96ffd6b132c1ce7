"""An ECS service as one look finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pipe.configuration import ENVIRONMENT, REPLICAS, Present
from pipe.model import MAIN, Change, Snapshot, Target
from pipe.portal import Deployment, EcsService, TaskDefinition
from pipe.portal.ecs import environments

T = TypeVar("T")

_DEFAULT = "default"
"""The container's name in task definitions that the portal creates itself."""


@dataclass(frozen=True)
class EcsDetail:
    """The part of an ECS service's snapshot that other kinds lack.

    `definition` is the revision that AWS runs, or is about to run.
    """

    service: EcsService
    definition: TaskDefinition
    main: str

    @property
    def is_reverted(self) -> bool:
        """Whether the portal still names a revision that AWS has left."""
        return self.service.definition != self.definition.arn

    def has_failed(self, arn: str) -> bool:
        """Return whether AWS has given up deploying a revision: it starts no more tasks of it."""
        ours = [one for one in self.service.deployments if one.definition == arn]
        return any(one.state == "FAILED" for one in ours) and not any(
            one.state != "FAILED" for one in ours
        )


def snapshot(target: Target, service: EcsService, definition: TaskDefinition) -> Snapshot:
    """Return the snapshot of a service that runs `definition`."""
    main = main_container(definition, service)
    images = {MAIN if name == main else name: i for name, i in definition.images.items()}
    details = EcsDetail(service, definition, main)
    primary = service.primary
    changed_at = primary.created if primary and primary.definition == definition.arn else None
    return Snapshot(
        target,
        images,
        definition.arn,
        details,
        changed_at,
        main=main,
        present=_present(definition, service, main),
    )


def _present(definition: TaskDefinition, service: EcsService, main: str) -> Present:
    """Return the environments of a revision, and the number of a service's replicas."""
    problems = {}
    try:
        found = environments(definition)
    except ValueError as problem:
        found = {}
        problems[ENVIRONMENT] = f"its task definition cannot be edited: {problem}"
    if service.replicas is None:
        problems[REPLICAS] = "the portal does not show its number of replicas"
    named = {MAIN if name == main else name: variables for name, variables in found.items()}
    return Present(named, service.replicas, problems)


def detail(found: Snapshot) -> EcsDetail:
    """Return the part of an ECS service's snapshot that other kinds lack."""
    if not isinstance(found.detail, EcsDetail):
        raise TypeError(found)
    return found.detail


def current_revision(service: EcsService) -> str:
    """Return the revision that AWS runs, or is about to run; an ARN.

    AWS rolls back by itself, and the portal may continue to show the revision that it was set to.
    """
    asked, primary = service.definition, service.primary
    if primary is None or primary.definition in ("", asked):
        return asked
    open_ = [
        one for one in service.deployments if one.definition == asked and one.state != "FAILED"
    ]
    return asked if open_ or not _is_settled(primary) else primary.definition


def main_container(definition: TaskDefinition, service: EcsService) -> str:
    """Return the name of the main container: the portal's own, the service's, or the first."""
    names = list(definition.images)
    return next((name for name in (_DEFAULT, service.name) if name in names), names[0])


def by_container(before: EcsDetail, found: Mapping[str, T]) -> Mapping[str, T]:
    """Return images, or anything else, by the containers' own names."""
    return {before.main if name == MAIN else name: one for name, one in found.items()}


def named_container(change: Change) -> str:
    """Return the container whose image is named to people: the main one if it changes."""
    changed = list(by_container(detail(change.before), change.images))
    main = detail(change.before).main
    return main if main in changed else changed[0]


def _is_settled(deployment: Deployment) -> bool:
    if deployment.state:
        return deployment.state == "COMPLETED"
    return deployment.running >= deployment.desired
