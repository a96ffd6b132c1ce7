"""Run commands as tasks of ECS, each in a family of its own beside that of the service.

The portal can neither stop such a task nor show its log. AWS lists a task for about an hour after
its end: for that long a task that has succeeded is the proof that its command need not run again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from pipe.clock import Clock
from pipe.deploy_tests import CommandResult
from pipe.deploy_tests.model import WriteLine
from pipe.jobs.ecs_follow import TaskFollower
from pipe.jobs.ecs_plan import TaskPlan, make_plan, short
from pipe.jobs.ecs_task import task_result
from pipe.jobs.model import TenantCommand, TenantRunner
from pipe.kinds.send_once import SendOnce
from pipe.portal import EcsTask, EcsTasks, TenantPortal
from pipe.portal.ecs_runs import EcsRuns
from pipe.settings import Step

log = logging.getLogger(__name__)

_MOST_COMPARED = 50


class EcsRunner(TenantRunner):
    """See `TenantRunner`."""

    def __init__(self, portal: TenantPortal, clock: Clock, step: Step) -> None:
        self._portal = portal
        self._clock = clock
        self._step = step
        self._running = ""
        self._stopped = ""

    def check_ready(self, command: TenantCommand) -> None:
        """See `TenantRunner`."""
        EcsTasks(self._portal.scope).check_route(make_plan(command, self._step).family)

    def run(self, command: TenantCommand, write_line: WriteLine) -> CommandResult:
        """See `TenantRunner`."""
        plan, began = make_plan(command, self._step), self._clock.monotonic()
        try:
            found = self._earlier(command, plan)
            if found and found.stopped:
                return _done_earlier(found)
            self._running = arn = found.definition if found else self._register(plan)
            if not found:
                self._start(command, plan, arn)
            look = self._follower(command, plan, arn).to_end()
        except KeyboardInterrupt:
            self.stop()
            raise
        except Exception:
            if sentence := self.stop():
                log.warning("%s", sentence)
            raise
        self._running = ""
        note = f"[{plan.log_note(look.task)}]"
        write_line(note)
        if look.stopped_at is None:
            seconds = self._clock.monotonic() - began
            error = f"did not end within {command.seconds:g} s, and the portal cannot stop its task"
            return CommandResult(seconds, (note,), timed_out=True, error=error)
        return task_result(look, command.seconds, (note,))

    def clear(self, command: TenantCommand) -> None:
        """See `TenantRunner`; AWS itself drops tasks that have ended."""

    def stop(self) -> str:
        """See `TenantRunner`; the portal has no way to stop a task."""
        if self._running:
            self._stopped = (
                f"A task of {short(self._running)} may be running, and the portal cannot stop it. "
                "A command for the shell ends at its time limit by itself; the next run of this "
                "step follows it."
            )
            self._running = ""
        return self._stopped

    def _earlier(self, command: TenantCommand, plan: TaskPlan) -> EcsTask | None:
        """Return the task of an earlier run that runs the same, or has done it for good."""
        same = list(self._same(plan))
        running = next((task for task in same if not task.stopped), None)
        if running:
            log.info("The task %s of an earlier run goes on; following it.", short(running.arn))
            return running
        done = (task for task in same if _has_succeeded(task))
        return next(done, None) if command.once else None

    def _same(self, plan: TaskPlan) -> Iterator[EcsTask]:
        known: dict[str, bool] = {}
        for task in EcsTasks(self._portal.scope).list_surely(plan.family)[:_MOST_COMPARED]:
            if task.definition not in known:
                definition = self._portal.ecs.task_definition(task.definition)
                known[task.definition] = plan.is_for(definition)
            if known[task.definition]:
                yield task

    def _register(self, plan: TaskPlan) -> str:
        """Register the revision of the command, and return its ARN."""
        if plan.left_out:
            log.info("The task runs without %s.", ", ".join(plan.left_out))
        arns: list[str] = []
        SendOnce(self._clock).send(
            f"the family {plan.family}",
            lambda: arns.append(self._portal.ecs.register(plan.service, plan.body)),
        )
        return arns[-1]

    def _start(self, command: TenantCommand, plan: TaskPlan, arn: str) -> None:
        """Start one task; no other run has its revision, so one of it answers a lost reply."""
        tasks = EcsTasks(self._portal.scope)
        SendOnce(self._clock).send(
            f"the tasks of {plan.family}",
            lambda: EcsRuns(self._portal.scope).run(arn),
            lambda: any(task.definition == arn for task in tasks.list_surely(plan.family)),
        )
        log.info("%s runs in the tenant as a task of %s.", command.setting, short(arn))

    def _follower(self, command: TenantCommand, plan: TaskPlan, arn: str) -> TaskFollower:
        return TaskFollower(
            portal=self._portal,
            clock=self._clock,
            plan=plan,
            arn=arn,
            setting=command.setting,
            seconds=command.seconds,
        )


def _has_succeeded(task: EcsTask) -> bool:
    return bool(task.containers) and all(one.exit_code == 0 for one in task.containers)


def _done_earlier(task: EcsTask) -> CommandResult:
    note = f"The task {short(task.arn)} of an earlier run of this step has succeeded."
    log.info("%s Its command is not run again.", note)
    return CommandResult(0.0, (f"[{note}]",), status=0)
