"""What to register and run in ECS for a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipe.configuration import EnvironmentEdit
from pipe.errors import ConfigError, Problem
from pipe.jobs.model import TenantCommand
from pipe.jobs.naming import JobName
from pipe.jobs.shell import task_command
from pipe.kinds.ecs.snapshot import detail
from pipe.portal import EcsTask, TaskDefinition
from pipe.portal.ecs import environments
from pipe.portal.ecs_runs import LogPlace, command_registration, log_place
from pipe.secret import Secret
from pipe.settings import Step

_MARK = "DEPLOY_PIPE_COMMAND"
"""The variable by which a task shows which command of which build it runs."""


@dataclass(frozen=True)
class TaskPlan:
    """What to register for a command: a revision of `family` with one `container`.

    `mark` identifies the command. `left_out` names what the service's tasks have and this one has
    not; `log` is None where CloudWatch does not have the log.
    """

    service: TaskDefinition
    family: str
    mark: str
    body: Mapping[str, Any]
    left_out: tuple[str, ...]
    container: str
    log: LogPlace | None

    def is_for(self, definition: TaskDefinition) -> bool:
        """Return whether a revision is for the same command."""
        variables = environments(definition).get(self.container, {})
        return variables.get(_MARK) == Secret(self.mark)

    def log_note(self, task: EcsTask) -> str:
        """Return the line on where the log of a task is."""
        if self.log is None:
            return "the portal shows no log of ECS tasks"
        stream = f"{self.log.prefix}/{self.container}/{short(task.arn)}"
        return f"the log is in CloudWatch, group {self.log.group}, stream {stream}"


def make_plan(command: TenantCommand, step: Step) -> TaskPlan:
    """Return the plan for a command; raise `ConfigError` if it cannot be run."""
    service, name = detail(command.snapshot), JobName.of(command, step)
    if not command.command:
        raise _refusal(command, "no command is given, and an ECS service has no job of its own")
    family, mark = f"{service.definition.family}-{command.key}", f"{name.prefix}{name.digest}"
    values = {key: Secret(value) for key, value in {**command.environment, _MARK: mark}.items()}
    try:
        body, left_out = command_registration(
            service.definition,
            service.main,
            command.image,
            task_command(command.command, command.seconds),
            edit=EnvironmentEdit(values, command.removed),
            family=family,
        )
    except ValueError as problem:
        raise _refusal(command, f"the task definition cannot be edited: {problem}") from None
    place = log_place(service.definition, service.main)
    return TaskPlan(service.definition, family, mark, body, left_out, service.main, place)


def short(arn: str) -> str:
    """Return the last part of an ARN."""
    return arn.rpartition("/")[2]


def _refusal(command: TenantCommand, reason: str) -> ConfigError:
    what = f"cannot run beside {command.snapshot.target}: {reason}"
    fix = "Correct the settings of the target in the portal."
    return ConfigError([Problem(command.setting, what, fix)])
