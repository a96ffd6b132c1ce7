"""Exceptions raised at any call of a function of the pipe, by tracing a run.

A trace function that raises makes the traced function raise, at its start or where it returns.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pipe

_PACKAGE = Path(pipe.__file__).parent
_OWN = str(_PACKAGE)
_START, _RETURN = "call", "return"

LOG_RECORD = "output:LineFormatter.format"
SEQUENCE = "deploy.sequence:Deploy.run"
RECOVERY = "deploy.recovery:Recovery.after"
LAST_LINE = "rest_of_run:_end"
HARMLESS = frozenset(
    (
        "deploy.evidence:gather",
        "deploy.recovery:Recovery._log_defect",
        LOG_RECORD,
        "output:guarded",
        "composition:_report",
        "composition:_what_runs_now",
    )
)
"""What these functions call may fail without any effect on how the run ends."""
LAST = frozenset(
    (
        *("run:run", "rest_of_run:complete", "rest_of_run:_complete", "rest_of_run:_end"),
        *("composition:perform", "composition:_execute", "composition:_report"),
        *("output:result", "output:guarded"),
    )
)
"""Functions around which there is nothing but the interpreter."""


class Phase(Enum):
    """What the run was doing when a function was called."""

    DEPLOYING = "deploying"
    ROLLING_BACK = "rolling back"
    ENDING = "ending"
    HARMLESS = "reporting"


@dataclass(frozen=True)
class Point:
    """The `nth` start or return of a function after the first write."""

    function: str
    event: str
    phase: Phase
    callers: tuple[str, ...]
    nth: int

    def __str__(self) -> str:
        return f"{self.event} {self.nth} of {self.function} while {self.phase.value}"


@dataclass
class Tracer:
    """Notes the points of a run once `has_changed`, and raises `error` at one of them."""

    has_changed: Callable[[], bool]
    at: Point | None = None
    error: Callable[[], Exception] = RuntimeError

    def __post_init__(self) -> None:
        self.points: list[Point] = []
        self.raised = False
        self._counts: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Trace what runs in this thread."""
        before = sys.gettrace()
        sys.settrace(self._started)
        try:
            yield
        finally:
            sys.settrace(before)

    def _started(self, frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        # Expressions are part of the function around them, and one runs for every character.
        if not code.co_filename.startswith(_OWN) or code.co_name.startswith("<"):
            return None
        frame.f_trace_lines = False
        self._note(frame, event)
        return self._traced

    def _traced(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == _RETURN:
            self._note(frame, event)
        return self._traced

    def _note(self, frame: FrameType, event: str) -> None:
        if not self.has_changed():
            return
        function = _name(frame.f_code)
        self._counts[function, event] += 1
        nth = self._counts[function, event]
        if self.at is None:
            callers = tuple(_callers(frame))
            self.points.append(Point(function, event, _phase(function, callers), callers, nth))
        elif (function, event, nth) == (self.at.function, self.at.event, self.at.nth):
            self.raised = True
            raise self.error()


@cache
def _name(code: CodeType) -> str:
    module = Path(code.co_filename).relative_to(_PACKAGE).with_suffix("")
    return f"{'.'.join(module.parts)}:{code.co_qualname}"


def _callers(frame: FrameType) -> Iterator[str]:
    """Yield the functions of the pipe that wait for this one, the innermost first."""
    caller = frame.f_back
    while caller:
        if caller.f_code.co_filename.startswith(_OWN):
            yield _name(caller.f_code)
        caller = caller.f_back


def _phase(function: str, callers: tuple[str, ...]) -> Phase:
    if HARMLESS.intersection(callers) or function == LOG_RECORD:
        return Phase.HARMLESS
    if LAST_LINE in callers:
        return Phase.HARMLESS
    if RECOVERY in (function, *callers):
        return Phase.ROLLING_BACK
    if SEQUENCE in callers:
        return Phase.DEPLOYING
    return Phase.ENDING
