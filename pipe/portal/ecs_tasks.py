"""The tasks of ECS services, which show why they stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipe.errors import Refused
from pipe.http import Reply
from pipe.portal.calls import NO_ROUTE
from pipe.portal.fields import enum_text, is_integer, listed, objects, prose, text
from pipe.portal.scope import Scope

_ROUTE = "ecsTasks"
_MISSING = (*NO_ROUTE, 500)
_MOST_TASKS = 1000
_MOST_CONTAINERS = 20


@dataclass(frozen=True, slots=True)
class TaskContainer:
    """One container of a task; `exit_code` is None for one that did not start or still runs."""

    name: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class EcsTask:
    """One task; `deployment` is the id of the deployment that started it.

    `stopped` is true from the moment its end is certain. `stop_code` is empty where the portal
    does not show one.
    """

    arn: str
    definition: str
    deployment: str
    stopped: bool
    stop_code: str
    stopped_reason: str
    containers: tuple[TaskContainer, ...]


class EcsTasks:
    """The portal's API for ECS tasks in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self, family: str) -> tuple[EcsTask, ...] | None:
        """Return the tasks of a family, those included that stopped within about an hour.

        None on a portal without this list, which is taken for missing at its first failure: it
        only explains rollouts. `list_surely` is for commands, which depend on it.
        """
        missing = self._scope.memory.missing_routes
        if _ROUTE in missing:
            return None
        reply = self._read(family, final=_MISSING)
        if reply.status in _MISSING:
            missing.add(_ROUTE)
            return None
        return self._scope.calls.decode(reply, f"the tasks of {family}", _tasks)

    def list_surely(self, family: str) -> tuple[EcsTask, ...]:
        """Return what `list` does, retried like any read; raise `Refused` where it fails."""
        return self._scope.calls.decode(self._read(family), f"the tasks of {family}", _tasks)

    def check_route(self, family: str) -> None:
        """Raise `Refused` on a portal without this list."""
        reply, host = self._read(family), self._scope.calls.host
        if reply.status in NO_ROUTE:
            raise Refused(
                f"The portal {host} cannot run commands in ECS: it answered {reply.status} for the "
                f"tasks of {family}.",
                "Have the portal updated, or run the command in the step.",
            )
        self._scope.calls.check(reply, f"the tasks of {family}")

    def _read(self, family: str, final: tuple[int, ...] = ()) -> Reply:
        return self._scope.calls.read(self._scope.v3("aws", _ROUTE, family), final=final)


def _tasks(body: Any) -> tuple[EcsTask, ...]:
    tasks = (_task(item) for item in islice(listed(body), _MOST_TASKS))
    return tuple(task for task in tasks if task.arn)


def _task(item: Mapping[str, Any]) -> EcsTask:
    return EcsTask(
        arn=text(item, "TaskArn"),
        definition=text(item, "TaskDefinitionArn"),
        deployment=text(item, "StartedBy"),
        # On Fargate, a task that has ended takes a minute to be deprovisioned.
        stopped="STOPPED"
        in {enum_text(item, key).upper() for key in ("LastStatus", "DesiredStatus")},
        stop_code=enum_text(item, "StopCode"),
        stopped_reason=prose(item, "StoppedReason"),
        containers=tuple(
            _container(one) for one in islice(objects(item, "Containers"), _MOST_CONTAINERS)
        ),
    )


def _container(item: Mapping[str, Any]) -> TaskContainer:
    code = item.get("ExitCode")
    return TaskContainer(
        name=text(item, "Name"),
        exit_code=code if is_integer(code) else None,
        reason=prose(item, "Reason"),
    )
