"""ECS tasks that run on their own, apart from any service, to an end."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.commands import Command, Start, stopped_after
from tests.sandbox.ecs_tasks import End, Task, ending, task_name
from tests.sandbox.stamp import stamp

if TYPE_CHECKING:
    from tests.sandbox.access import Tenant
    from tests.sandbox.kinds.ecs import EcsServices

_TERMINATED, _KILLED = 143, 137
_AS_ANY_TASK = ("config-error", "pull-error", "pull-error-passing")
_NOT_PULLED = ("invalid-name", "no-registry")
_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


@dataclass
class OwnTask(Task):
    """A task of no service; its first container decides, and the others are killed at its end."""

    tenant: Tenant | None = None
    family: str = ""

    def _container(self, name: str, image: str, status: str) -> dict[str, Any]:
        body = super()._container(name, image, status)
        if self.end and self.end.exit_code is not None and "ExitCode" not in body:
            body["ExitCode"] = _KILLED
        return body


@dataclass
class TaskRuns:
    """All such tasks of a world. AWS lists a task for an hour after its end."""

    ecs: EcsServices
    items: list[OwnTask] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def run(self, arn: str, count: int, tenant: Tenant) -> list[OwnTask]:
        """Start that many tasks of a revision."""
        definition = self.ecs.definitions[arn]
        images = {one["Name"]: one["Image"] for one in definition["ContainerDefinitions"]}
        world = self.ecs.world
        started = []
        for _ in range(count):
            name = task_name(f"run/{arn}", next(self._numbers))
            task = OwnTask(name, arn, "portal", images, stamp(world.now()))
            task.tenant, task.family = tenant, str(definition["Family"])
            started.append(task)
            world.agenda.later(world.rollout_seconds, partial(self._start, task))
        self.items += started
        return started

    def of_tenant(self, tenant: Tenant) -> list[OwnTask]:
        """Return the tenant's tasks."""
        return [task for task in self.items if task.tenant is tenant]

    def _start(self, task: OwnTask) -> None:
        world = self.ecs.world
        container = self.ecs.definitions[task.definition]["ContainerDefinitions"][0]
        words = [*(container.get("EntryPoint") or ()), *(container.get("Command") or ())]
        line = f"{container['Image']} {' '.join(map(str, words))}"
        command = world.commands.find(line)
        behaviour = command.failing(self.ecs.behaviour_of(task.definition))
        if behaviour.fate != "run":
            task.end = _not_started(behaviour, str(container["Image"]))
            return
        task.running = True
        start = Start(world.at, line, task.family)
        world.commands.starts.append(start)
        limit = stopped_after(line)
        if limit < command.seconds:
            command = replace(command, seconds=limit, exit_code=_TERMINATED, out_of_memory=False)
        world.agenda.later(command.seconds, partial(self._end, task, command, start))

    def _end(self, task: OwnTask, command: Command, start: Start) -> None:
        task.running = False
        start.end(self.ecs.world.at, command.code)
        task.end = End(
            "EssentialContainerExited",
            "Essential container in task exited",
            command.code,
            _OUT_OF_MEMORY if command.out_of_memory else "",
        )


def _not_started(behaviour: Behaviour, image: str) -> End:
    """Return the end of a task whose container did not start: it has no exit code."""
    if behaviour.fate in _NOT_PULLED:
        behaviour = replace(behaviour, fate="pull-error")
    if behaviour.fate in _AS_ANY_TASK:
        return ending(behaviour, image)
    reason = 'CannotStartContainerError: exec: "sh": executable file not found in $PATH'
    return End("TaskFailedToStart", behaviour.fault or reason)
