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
LAST_LINE = "run:_end"
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
        *("output:result", "run:run", "run:_run", "composition:_execute"),
        *("run:_end", "output:guarded", "composition:_report", "composition:perform"),
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
    request: int
    """The request before it, by its number in the run."""
    nth_since: int
    """What `nth` is when counting begins after that request."""

    def __str__(self) -> str:
        return f"{self.event} {self.nth} of {self.function} while {self.phase.value}"


@dataclass
class Tracer:
    """Notes the points of a run after its first write, or raises `error` at one of them.

    It has to hear of every request. Tracing makes a run several times as slow, so a run that is to
    raise is traced only from the last request before the point.
    """

    at: Point | None = None
    error: Callable[[], Exception] = RuntimeError

    def __post_init__(self) -> None:
        self.points: list[Point] = []
        self.raised = False
        self._counts: Counter[tuple[str, str]] = Counter()
        self._since: Counter[tuple[str, str]] = Counter()
        self._request = 0

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Trace what runs in this thread, once that is due."""
        before = sys.gettrace()
        try:
            yield
        finally:
            sys.settrace(before)

    def after_request(self, number: int, *, has_changed: bool) -> None:
        """Count points from here on; trace from here on if that is due."""
        is_first = has_changed and not self._request
        if is_first if self.at is None else number == self.at.request:
            self._begin()
        if has_changed:
            self._request = number
            self._since.clear()

    def _begin(self) -> None:
        """Trace from now on, the functions included that run already and have yet to return."""
        sys.settrace(self._started)
        frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the documented way
        while frame:
            if _is_own(frame.f_code):
                frame.f_trace_lines = False
                frame.f_trace = self._traced
            frame = frame.f_back

    def _started(self, frame: FrameType, event: str, _: Any) -> Any:
        if not _is_own(frame.f_code):
            return None
        frame.f_trace_lines = False
        self._note(frame, event)
        return self._traced

    def _traced(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == _RETURN:
            self._note(frame, event)
        return self._traced

    def _note(self, frame: FrameType, event: str) -> None:
        function = _name(frame.f_code)
        self._counts[function, event] += 1
        self._since[function, event] += 1
        nth, since = self._counts[function, event], self._since[function, event]
        if self.at is None:
            callers = tuple(_callers(frame))
            phase = _phase(function, callers)
            self.points.append(Point(function, event, phase, callers, nth, self._request, since))
        elif (function, event, since) == (self.at.function, self.at.event, self.at.nth_since):
            self.raised = tuple(_callers(frame)) == self.at.callers
            raise self.error()


def _is_own(code: CodeType) -> bool:
    # Expressions are part of the function around them, and one runs for every character.
    return code.co_filename.startswith(_OWN) and not code.co_name.startswith("<")


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
