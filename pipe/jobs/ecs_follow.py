"""Follow the task of a command to its end."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pipe.clock import Clock, Deadline
from pipe.errors import PlatformError, Refused
from pipe.jobs.ecs_plan import TaskPlan, short
from pipe.jobs.ecs_task import TaskLook
from pipe.portal import EcsTask, EcsTasks, TenantPortal

log = logging.getLogger(__name__)

_PAUSE = 2.0
_SILENCE = 15.0
_BEYOND = 60.0
"""Seconds past the time limit for the shell's own end, and for AWS to show it."""


@dataclass
class TaskFollower:
    """Looks at the task of the revision `arn` until it is over; `seconds` is its time limit."""

    portal: TenantPortal
    clock: Clock
    plan: TaskPlan
    arn: str
    setting: str
    seconds: float
    _look: TaskLook | None = None
    _logged_at: float = 0.0

    def to_end(self) -> TaskLook:
        """Return the last look at the task: it is over, or its time is.

        Raises `PlatformError` if it cannot be seen.
        """
        began = self._logged_at = self.clock.monotonic()
        deadline = Deadline(self.clock, began + self.seconds + _BEYOND)
        tasks = EcsTasks(self.portal.until(deadline).scope)
        while True:
            try:
                self._note(tasks.list_surely(self.plan.family), began)
            except PlatformError as error:
                if deadline.passed():
                    raise
                log.warning("%s Checking the task of %s again.", error, short(self.arn))
            if self._look and (self._look.is_over or deadline.passed()):
                return self._look
            if deadline.passed():
                raise Refused(
                    f"The portal lists no task of {short(self.arn)}.",
                    "Look at the tasks of the cluster in the portal.",
                    may_have_applied=True,
                )
            self._report(began)
            self.clock.sleep(min(_PAUSE, max(0.1, deadline.left())))

    def _note(self, tasks: tuple[EcsTask, ...], began: float) -> None:
        now, last = self.clock.monotonic(), self._look
        listed = next((one for one in tasks if one.definition == self.arn), None)
        # AWS drops a task in time, and what was seen of it last stays true.
        if task := listed or (last.task if last else None):
            since = last.stopped_at if last and last.stopped_at is not None else now
            stopped_at = since if task.stopped else None
            self._look = TaskLook(task, self.plan.container, began, now, stopped_at)

    def _report(self, began: float) -> None:
        now = self.clock.monotonic()
        if now - self._logged_at < _SILENCE:
            return
        self._logged_at = now
        state = "is not listed yet"
        if self._look:
            state = "has not ended" if self._look.stopped_at is None else "is ending"
        text = "%s: [%3.0f s] the task of %s %s."
        log.info(text, self.setting, now - began, short(self.arn), state)
