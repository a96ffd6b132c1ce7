"""How long calls to the portal may take when time is limited."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipe.clock import Deadline
from pipe.http import Limits

GRACE = 15.0
"""Seconds that calls may take beyond the deadline of a rollout, whatever the portal does."""
_SHORTEST_READ = 5.0


@dataclass
class Pace:
    """The seconds of the slowest good answer so far: a read must be allowed to take longer."""

    slowest: float = 0.0

    @property
    def enough(self) -> float:
        """The seconds to allow a read at least."""
        return 2 * self.slowest


@dataclass(frozen=True)
class TimeLeft:
    """A deadline, and the seconds beyond it at which every call ends at the latest."""

    deadline: Deadline
    grace: float
    tries: int

    def seconds(self) -> float:
        """Return the time until every call ends, negative once it should have."""
        return self.deadline.at + self.grace - self.deadline.clock.monotonic()

    def limits(self, usual: Limits, pace: Pace) -> Limits:
        """Return the limits of a call that begins now."""
        left, most = self.deadline.left(), self.seconds()
        whole = min(usual.whole, most, max(2 * _SHORTEST_READ, left, pace.enough))
        return replace(
            usual,
            tries=self.tries,
            patience=min(usual.patience, most),
            # A host may have several addresses, and each of them is tried for as long.
            connect=min(usual.connect, whole / 3),
            # At most half of the time left, so that one silent reply does not use up all of it.
            read=min(usual.read, whole, max(_SHORTEST_READ, left / 2, pace.enough)),
            whole=whole,
        )
