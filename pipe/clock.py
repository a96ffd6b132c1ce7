"""Time as an argument: whoever waits is handed a clock, so that no test has to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the pipe asks of time."""

    def monotonic(self) -> float:
        """Seconds that only grow; for every limit and every duration."""

    def now(self) -> datetime:
        """The date and time in UTC; for people and for reports, never for a limit."""

    def sleep(self, seconds: float) -> None:
        """Wait, and be interrupted by a signal."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def now(self) -> datetime:
        """See `Clock`."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(max(0.0, seconds))


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock after which waiting is over."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """The deadline that lies `seconds` from now."""
        return cls(clock, clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds that remain, never below zero."""
        return max(0.0, self.at - self.clock.monotonic())

    def passed(self) -> bool:
        """Whether the moment is over."""
        return self.clock.monotonic() >= self.at
