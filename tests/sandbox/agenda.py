"""What will happen, in order of time; nothing happens except when somebody looks."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

Action = Callable[[], None]

# Sums of decimal fractions miss a moment by a hair; a test that waits 20 x 0.1 s must see it.
_HAIR = 1e-9


class Agenda:
    """Future actions; `advance` performs those that are due, each at its own moment."""

    def __init__(self, start: float) -> None:
        self.at = start
        self._queue: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._advancing = False

    def later(self, seconds: float, action: Action) -> None:
        """Perform the action that many seconds from now."""
        heapq.heappush(self._queue, (self.at + max(0.0, seconds), next(self._order), action))

    def advance(self, to: float) -> None:
        """Let time pass, performing what falls due on the way."""
        if self._advancing:
            # An action that looks at the world sees it as it is at the action's own moment.
            return
        self._advancing = True
        try:
            self._perform(to)
        finally:
            self._advancing = False

    def _perform(self, to: float) -> None:
        while self._queue and self._queue[0][0] <= to + _HAIR:
            moment, _, action = heapq.heappop(self._queue)
            self.at = max(self.at, moment)
            action()
        self.at = max(self.at, to)

    def clear(self) -> None:
        """Forget everything that was planned."""
        self._queue.clear()
