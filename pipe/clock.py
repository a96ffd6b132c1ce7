"""Time as a dependency: code that waits takes a clock, so that tests do not wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time that the pipe reads and waits on."""

    def monotonic(self) -> float:
        """Return seconds that never decrease, for limits and durations."""

    def now(self) -> datetime:
        """Return the date and time in UTC, for display and reports, never for limits."""

    def sleep(self, seconds: float) -> None:
        """Wait; a signal interrupts it."""


class SystemClock:
    """The machine's clock."""

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
    """A moment on the monotonic clock at which waiting ends."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """Return the deadline `seconds` from now."""
        return cls(clock, clock.monotonic() + seconds)

    def left(self) -> float:
        """Return the remaining seconds, never below zero."""
        return max(0.0, self.at - self.clock.monotonic())

    def passed(self) -> bool:
        """Return whether the deadline has passed."""
        return self.clock.monotonic() >= self.at
