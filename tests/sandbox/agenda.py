"""Scheduled events in order of time; they take effect when the world is next read."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[], None]

# Sums of decimal fractions are inexact; a test that waits 20 x 0.1 s must see second 2.
_TOLERANCE = 1e-9


class Agenda:
    """Scheduled actions; `advance` performs those that are due, each at its own time."""

    def __init__(self, start: float) -> None:
        self.at = start
        self._queue: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._advancing = False

    def later(self, seconds: float, action: Action) -> None:
        """Schedule the action that many seconds from now."""
        heapq.heappush(self._queue, (self.at + max(0.0, seconds), next(self._order), action))

    def advance(self, to: float) -> None:
        """Move on to that time, performing what falls due before it."""
        if self._advancing:
            # An action that reads the world sees it as of the action's own time.
            return
        self._advancing = True
        try:
            self._perform(to)
        finally:
            self._advancing = False

    def _perform(self, to: float) -> None:
        while self._queue and self._queue[0][0] <= to + _TOLERANCE:
            moment, _, action = heapq.heappop(self._queue)
            self.at = max(self.at, moment)
            action()
        self.at = max(self.at, to)

    def clear(self) -> None:
        """Drop everything that is scheduled."""
        self._queue.clear()
