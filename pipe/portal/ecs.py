"""ECS services and their task definitions.

A task definition is immutable: a new image needs a new revision and a service that points to
it. Both documents are sent as they were read, except for fields that AWS refuses.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from pipe.portal.calls import NO_ROUTE
from pipe.portal.fields import (
    UnexpectedShape,
    count,
    enum_text,
    is_integer,
    listed,
    moment,
    nested,
    objects,
    prose,
    required_object,
    text,
)
from pipe.portal.scope import Scope

_NO_LIST_ROUTE = (*NO_ROUTE, 500)
_MOST_EVENTS = 100
"""As many as AWS keeps."""
# AWS returns these and accepts none of them.
_READ_ONLY = (
    "TaskDefinitionArn",
    "Revision",
    "Status",
    "RegisteredAt",
    "RegisteredBy",
    "DeregisteredAt",
    "Compatibilities",
    "RequiresAttributes",
)
# AWS returns zero for "not set", and refuses zero on registration.
_NONZERO = ("Cpu", "Memory", "MemoryReservation", "StartTimeout", "StopTimeout")


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a service; `state` is empty where AWS does not report one.

    `failed` counts tasks in a row that did not start; AWS resets it once a task runs.
    """

    id: str
    created: datetime | None
    definition: str
    primary: bool
    state: str
    reason: str
    desired: int
    running: int
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Event:
    """What AWS reports to have done with a service, or to have been unable to do."""

    created: datetime | None
    message: str


@dataclass(frozen=True, slots=True)
class EcsService:
    """One ECS service; `definition` is the ARN it is set to. `document` is the portal's JSON.

    `name` is the one that the portal shows, `full_name` may carry the tenant's prefix. Events are
    listed from the newest to the oldest. With `has_breaker`, AWS gives up a deployment itself once
    enough of its tasks did not start.
    """

    name: str
    full_name: str
    definition: str
    deployments: tuple[Deployment, ...]
    events: tuple[Event, ...]
    document: Mapping[str, Any] = field(compare=False, repr=False)
    has_breaker: bool = False

    @property
    def primary(self) -> Deployment | None:
        """The deployment that AWS is working towards."""
        return next((one for one in self.deployments if one.primary), None)


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """One revision; `images` are by container, in its order. `document` is the portal's JSON.

    AWS points no service to a revision that is not `active`, although one may still run it.
    """

    arn: str
    family: str
    images: Mapping[str, str]
    document: Mapping[str, Any] = field(compare=False, repr=False)
    active: bool = True

    def differs_only_by(self, images: Mapping[str, str], other: TaskDefinition) -> bool:
        """Return whether registering this one with `images` would duplicate `other`."""
        return registration(self, images) == registration(other, {})


class Ecs:
    """The portal's API for ECS in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[EcsService, ...]:
        """Return every ECS service; older portals leave out the deployments."""
        calls, scope, what = self._scope.calls, self._scope, "the list of ECS services"
        reply = calls.read(scope.v3("aws", "ecs", "service"), final=_NO_LIST_ROUTE)
        if reply.status not in _NO_LIST_ROUTE:
            return calls.decode(reply, what, _services)
        return calls.decode(calls.read(scope.v2("GetEcsServices")), what, _services_v2)

    def with_deployments(self, service: EcsService) -> EcsService:
        """Return the service with its deployments, which older portals only return one by one."""
        reply = self._scope.calls.read(self._scope.v2("GetEcsServiceDetails", service.name))
        status = self._scope.calls.decode(reply, f"the ECS service {service.name}", required_object)
        return _service(service.full_name, service.document, status)

    def task_definition(self, arn: str) -> TaskDefinition:
        """Return one revision of a task definition."""
        reply = self._scope.calls.query(self._scope.v2("FindEcsTaskDefinition"), {"Arn": arn})
        what = f"the task definition {arn.rpartition('/')[2]}"
        return self._scope.calls.decode(reply, what, _task_definition)

    def register(self, definition: TaskDefinition, images: Mapping[str, str]) -> str:
        """Register a revision that differs only in images, and return its ARN."""
        body = registration(definition, images)
        what = f"the new revision of {definition.family}"
        path = self._scope.v2("UpdateEcsTaskDefinition")
        reply = self._scope.calls.write("POST", path, body, what)
        return self._scope.calls.decode(reply, what, _arn)

    def update(self, service: EcsService, arn: str) -> None:
        """Set the service to the revision `arn`."""
        body = {**service.document, "TaskDefinition": arn}
        path = self._scope.v2("UpdateEcsService")
        self._scope.calls.write("POST", path, body, f"the change of {service.name}")


def registration(definition: TaskDefinition, images: Mapping[str, str]) -> dict[str, Any]:
    """Return the body that registers `definition` again with other images, by container."""
    body = {
        key: copy.deepcopy(value)
        for key, value in definition.document.items()
        if key not in _READ_ONLY
    }
    for container in objects(body, "ContainerDefinitions"):
        _drop_zeros(container, _NONZERO)
        _drop_zeros(nested(container, "LinuxParameters"), ("SharedMemorySize",))
        if text(container, "Name") in images:
            container["Image"] = images[text(container, "Name")]
    for volume in objects(body, "Volumes"):
        _drop_zeros(nested(volume, "EfsVolumeConfiguration"), ("TransitEncryptionPort",))
    return body


def _drop_zeros(item: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        if is_integer(item.get(key)) and item[key] == 0:
            del item[key]


def _services(body: Any) -> tuple[EcsService, ...]:
    services = (
        _service(
            text(item, "EcsServiceName"),
            nested(item, "DuploEcsService"),
            nested(item, "AwsEcsService"),
        )
        for item in listed(body)
    )
    return tuple(service for service in services if service.name and service.document)


def _services_v2(body: Any) -> tuple[EcsService, ...]:
    services = (_service(text(item, "Name"), item, {}) for item in listed(body))
    return tuple(service for service in services if service.name)


def _service(name: str, document: Mapping[str, Any], status: Mapping[str, Any]) -> EcsService:
    """Build a service from the portal's settings of it and from its status in AWS."""
    return EcsService(
        name=text(document, "Name") or name,
        full_name=name or text(document, "Name"),
        definition=text(document, "TaskDefinition"),
        deployments=tuple(_deployment(item) for item in objects(status, "Deployments")),
        events=tuple(_events(status)),
        document=document,
        has_breaker=_has_breaker(document),
    )


def _has_breaker(document: Mapping[str, Any]) -> bool:
    configuration = nested(document, "DeploymentConfiguration")
    return nested(configuration, "DeploymentCircuitBreaker").get("Enable") is True


def _events(status: Mapping[str, Any]) -> Iterator[Event]:
    newest_first = sorted(
        islice(objects(status, "Events"), _MOST_EVENTS),
        key=lambda event: text(event, "CreatedAt"),
        reverse=True,
    )
    for event in newest_first:
        if message := prose(event, "Message"):
            yield Event(moment(event, "CreatedAt"), message)


def _deployment(item: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=text(item, "Id"),
        created=moment(item, "CreatedAt"),
        definition=text(item, "TaskDefinition"),
        primary=enum_text(item, "Status").upper() == "PRIMARY",
        state=enum_text(item, "RolloutState").upper(),
        reason=prose(item, "RolloutStateReason"),
        desired=count(item, "DesiredCount") or 0,
        running=count(item, "RunningCount") or 0,
        pending=count(item, "PendingCount") or 0,
        failed=count(item, "FailedTasks") or 0,
    )


def _task_definition(body: Any) -> TaskDefinition:
    document = required_object(body)
    containers = objects(document, "ContainerDefinitions")
    images = {text(item, "Name"): text(item, "Image") for item in containers}
    arn = text(document, "TaskDefinitionArn")
    if not arn or not images:
        raise UnexpectedShape("a task definition with an ARN and containers")
    active = enum_text(document, "Status").upper() in ("", "ACTIVE")
    return TaskDefinition(arn, text(document, "Family"), images, document, active)


def _arn(body: Any) -> str:
    if not isinstance(body, str) or not body:
        raise UnexpectedShape("the ARN of the new revision")
    return body
