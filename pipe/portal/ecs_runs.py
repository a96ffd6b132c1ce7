"""ECS tasks that run once, apart from any service.

The portal has no way to run a revision with another command, so the command gets a revision in a
family of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipe.configuration import EnvironmentEdit
from pipe.errors import Refused
from pipe.portal.calls import NO_ROUTE
from pipe.portal.ecs import TaskDefinition, registration
from pipe.portal.fields import enum_text, nested, objects, text
from pipe.portal.scope import Scope

_OF_A_SERVICE = ("PortMappings", "HealthCheck", "DependsOn", "Links", "VolumesFrom")
_LOG_ROUTER = "awsfirelens"


@dataclass(frozen=True)
class LogPlace:
    """Where CloudWatch keeps the log of a container: the group, and what its streams begin with."""

    group: str
    prefix: str


class EcsRuns:
    """The portal's API for such tasks in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def run(self, arn: str) -> None:
        """Start a task of a revision.

        Raises `Unreachable` when it is unknown whether the portal started it.
        """
        path, body = self._scope.v3("aws", "runEcsTask"), {"TaskDefinition": arn, "Count": 1}
        what = f"the task of {arn.rpartition('/')[2]}"
        reply = self._scope.calls.send("POST", path, body)
        if reply.status in NO_ROUTE:
            raise Refused(
                f"The portal {self._scope.calls.host} cannot run ECS tasks: it answered "
                f"{reply.status} for {what}.",
                "Have the portal updated, or run the command in the step.",
            )
        self._scope.calls.check_done(reply, what)


def command_registration(
    definition: TaskDefinition,
    container: str,
    image: str,
    command: tuple[str, ...],
    *,
    edit: EnvironmentEdit,
    family: str,
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the body of a revision in which one container runs a command, and what it lacks.

    Raises `ValueError` with the reason when the environment cannot be edited.
    """
    body = registration(definition, {container: image}, {container: edit})
    containers = list(objects(body, "ContainerDefinitions"))
    main = next(one for one in containers if text(one, "Name") == container)
    left_out = [text(one, "Name") for one in containers if one is not main]
    for key in _OF_A_SERVICE:
        main.pop(key, None)
    if enum_text(nested(main, "LogConfiguration"), "LogDriver") == _LOG_ROUTER:
        del main["LogConfiguration"]
        left_out.append("its log router")
    main |= {"Essential": True, "EntryPoint": [command[0]], "Command": list(command[1:])}
    return {**body, "Family": family, "ContainerDefinitions": [main]}, tuple(left_out)


def log_place(definition: TaskDefinition, container: str) -> LogPlace | None:
    """Return where the log of a container is, None where it is not in CloudWatch."""
    for one in objects(definition.document, "ContainerDefinitions"):
        options = nested(nested(one, "LogConfiguration"), "Options")
        if text(one, "Name") == container and (group := text(options, "awslogs-group")):
            return LogPlace(group, text(options, "awslogs-stream-prefix"))
    return None
