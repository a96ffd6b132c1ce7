"""ECS services and their task definitions.

A task definition is immutable: a new image is a new revision, and then a service that points
to it. Both documents are sent back as they were read, but for what they must not hold.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipe.portal.calls import NO_ROUTE, Scope
from pipe.portal.fields import Shapeless, count, is_integer, listed, nested, objects, text

_NO_LIST_ROUTE = (*NO_ROUTE, 500)
_MOST_EVENTS = 5
# AWS answers these and takes none of them back.
_ANSWERED_ONLY = (
    "TaskDefinitionArn",
    "Revision",
    "Status",
    "RegisteredAt",
    "RegisteredBy",
    "DeregisteredAt",
    "Compatibilities",
    "RequiresAttributes",
)
# Zero stands for "not given" in what AWS answers, and is refused in what it is given.
_NO_ZERO = ("Cpu", "Memory", "MemoryReservation", "StartTimeout", "StopTimeout")


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a service; `state` is empty where AWS does not judge it."""

    definition: str
    primary: bool
    state: str
    reason: str
    desired: int
    running: int
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class EcsService:
    """One ECS service; `definition` is the ARN it asks for. `document` is the portal's own."""

    name: str
    definition: str
    deployments: tuple[Deployment, ...]
    events: tuple[str, ...]
    document: Mapping[str, Any] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """One revision; `images` are by container, in its order. `document` is the portal's own."""

    arn: str
    family: str
    images: Mapping[str, str]
    document: Mapping[str, Any] = field(compare=False, repr=False)

    def differs_only_by(self, images: Mapping[str, str], other: TaskDefinition) -> bool:
        """Whether registering this one with `images` would make `other` once more."""
        return registration(self, images) == registration(other, {})


class EcsPortal:
    """The portal's calls for ECS inside one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def services(self) -> tuple[EcsService, ...]:
        """Every ECS service with its deployments; those are missing on older portals."""
        calls, scope = self._scope.calls, self._scope
        reply = calls.read(scope.v3("aws", "ecs", "service"), final=_NO_LIST_ROUTE)
        if reply.status not in _NO_LIST_ROUTE:
            return calls.decode(reply, "the list of ECS services", _services)
        return calls.decode(
            calls.read(scope.v2("GetEcsServices")), "the list of ECS services", _bare_services
        )

    def details(self, service: EcsService) -> EcsService:
        """The service with its deployments, as older portals tell them: one at a time."""
        reply = self._scope.calls.read(self._scope.v2("GetEcsServiceDetails", service.name))
        seen = self._scope.calls.decode(reply, f"the ECS service {service.name}", _object)
        return _service(service.name, service.document, seen)

    def definition(self, arn: str) -> TaskDefinition:
        """One revision of a task definition."""
        reply = self._scope.calls.ask(self._scope.v2("FindEcsTaskDefinition"), {"Arn": arn})
        return self._scope.calls.decode(reply, f"the task definition {_short(arn)}", _definition)

    def register(self, definition: TaskDefinition, images: Mapping[str, str]) -> str:
        """A new revision that differs in images only; its ARN."""
        body = registration(definition, images)
        what = f"the new revision of {definition.family}"
        path = self._scope.v2("UpdateEcsTaskDefinition")
        reply = self._scope.send("POST", path, body, what)
        return self._scope.calls.decode(reply, what, _arn)

    def point(self, service: EcsService, arn: str) -> None:
        """Have the service run the revision `arn`."""
        body = {**service.document, "TaskDefinition": arn}
        path = self._scope.v2("UpdateEcsService")
        self._scope.send("POST", path, body, f"the change of {service.name}")


def registration(definition: TaskDefinition, images: Mapping[str, str]) -> dict[str, Any]:
    """What registers `definition` again with other images, by container."""
    body = {
        key: copy.deepcopy(value)
        for key, value in definition.document.items()
        if key not in _ANSWERED_ONLY
    }
    for container in objects(body, "ContainerDefinitions"):
        _drop_zeros(container, _NO_ZERO)
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
    found = (
        _service(
            text(item, "EcsServiceName") or text(nested(item, "DuploEcsService"), "Name"),
            nested(item, "DuploEcsService"),
            nested(item, "AwsEcsService"),
        )
        for item in listed(body)
    )
    return tuple(service for service in found if service.name and service.document)


def _bare_services(body: Any) -> tuple[EcsService, ...]:
    found = (_service(text(item, "Name"), item, {}) for item in listed(body))
    return tuple(service for service in found if service.name)


def _service(name: str, asked: Mapping[str, Any], seen: Mapping[str, Any]) -> EcsService:
    return EcsService(
        name=name,
        definition=text(asked, "TaskDefinition"),
        deployments=tuple(_deployment(item) for item in objects(seen, "Deployments")),
        events=tuple(_events(seen)),
        document=asked,
    )


def _events(seen: Mapping[str, Any]) -> Iterator[str]:
    newest_first = sorted(
        objects(seen, "Events"), key=lambda event: text(event, "CreatedAt"), reverse=True
    )
    for event in newest_first[:_MOST_EVENTS]:
        if message := text(event, "Message"):
            yield message


def _deployment(item: Mapping[str, Any]) -> Deployment:
    return Deployment(
        definition=text(item, "TaskDefinition"),
        primary=wrapped(item, "Status").upper() == "PRIMARY",
        state=wrapped(item, "RolloutState").upper(),
        reason=text(item, "RolloutStateReason"),
        desired=count(item, "DesiredCount") or 0,
        running=count(item, "RunningCount") or 0,
        pending=count(item, "PendingCount") or 0,
        failed=count(item, "FailedTasks") or 0,
    )


def wrapped(item: Mapping[str, Any], key: str) -> str:
    """An enum of AWS, which comes bare or as `{"Value": ...}`."""
    return text(item, key) or text(nested(item, key), "Value")


def _definition(body: Any) -> TaskDefinition:
    document = _object(body)
    containers = objects(document, "ContainerDefinitions")
    images = {text(item, "Name"): text(item, "Image") for item in containers}
    arn = text(document, "TaskDefinitionArn")
    if not arn or not images:
        raise Shapeless("a task definition with an ARN and containers")
    return TaskDefinition(arn, text(document, "Family"), images, document)


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise Shapeless("an object")
    return body


def _arn(body: Any) -> str:
    if not isinstance(body, str) or not body:
        raise Shapeless("the ARN of the new revision")
    return body


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
