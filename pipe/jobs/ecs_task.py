"""How the task of a command ended, from its one container."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from pipe.deploy_tests import CommandResult
from pipe.portal import EcsTask, TaskContainer

_SETTLING = 45.0
"""Seconds in which a task that ends may still get the exit code of its container."""
_OUT_OF_MEMORY = "OutOfMemory"
_ENDED_AT_LIMIT = (128 + signal.SIGTERM, 128 + signal.SIGKILL)
_REMEDY = "Correct what the reason names, and run the step again."


@dataclass(frozen=True)
class TaskLook:
    """A task as one look found it.

    `began` and `at` are moments on the monotonic clock, as is `stopped_at`, the first look that
    found it stopped.
    """

    task: EcsTask
    container: str
    began: float
    at: float
    stopped_at: float | None = None

    @property
    def end(self) -> TaskContainer | None:
        """The container, or the only one there is."""
        found = [one for one in self.task.containers if one.name == self.container]
        return next(iter(found or self.task.containers), None)

    @property
    def is_over(self) -> bool:
        """Whether nothing about the task will change any more."""
        if self.stopped_at is None:
            return False
        has_code = self.end is not None and self.end.exit_code is not None
        is_failure = self.task.stop_code == "TaskFailedToStart"
        return has_code or is_failure or self.at - self.stopped_at >= _SETTLING


def task_result(look: TaskLook, limit: float, output: tuple[str, ...]) -> CommandResult:
    """Return the result of a command whose task is over; `limit` is its time in seconds."""
    seconds, end = look.at - look.began, look.end
    if end is None or end.exit_code is None:
        reason = (end.reason if end else "") or look.task.stopped_reason or "AWS shows no reason"
        error = f"could not be started: {reason}"
        return CommandResult(seconds, output, error=error, remedy=_REMEDY)
    if end.exit_code and _OUT_OF_MEMORY in end.reason:
        return CommandResult(seconds, output, signal=signal.SIGKILL, error="out of memory")
    timed_out = end.exit_code in _ENDED_AT_LIMIT and seconds >= limit
    return CommandResult(seconds, output, status=end.exit_code, timed_out=timed_out)
