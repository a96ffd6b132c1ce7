"""Retries: how often, for how long and after which pauses an operation is attempted again.

No library for this: pauses run on the injected clock, and runtime dependencies stay few.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pipe.clock import Clock

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Retryable:
    """A failure that a later attempt may not meet again; `reason` is a sentence for the log.

    `pause` is the wait in seconds that the server or the caller asks for, None for the policy's.
    """

    reason: str
    pause: float | None = None


def _final(outcome: object) -> None:
    """Classify every outcome as one that ends the attempts."""
    del outcome


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of one operation: attempts in all, and seconds in which the last one may begin.

    Pauses double from `first_pause` up to `longest_pause`, which also caps a requested pause.
    Without `tries` only `patience` ends the attempts.
    """

    patience: float
    longest_pause: float
    first_pause: float = 1.0
    tries: int | None = None

    def call(
        self,
        clock: Clock,
        operation: Callable[[], Result],
        classify_error: Callable[[Exception], Retryable | None] = _final,
        classify_result: Callable[[Result], Retryable | None] = _final,
    ) -> Result:
        """Return the result of the last attempt, or raise its error.

        The classifiers return None for an outcome that ends the attempts: a final error, or a
        result to return.
        """
        until = clock.monotonic() + self.patience
        attempt = 1
        while True:
            try:
                result = operation()
            except Exception as error:
                if not self._wait(attempt, classify_error(error), clock, until):
                    raise
            else:
                if not self._wait(attempt, classify_result(result), clock, until):
                    return result
            attempt += 1

    def _wait(self, attempt: int, failure: Retryable | None, clock: Clock, until: float) -> bool:
        """Wait for the next attempt; return False when there is none."""
        if failure is None or attempt == self.tries:
            return False
        pause = self.first_pause * 2 ** (attempt - 1) if failure.pause is None else failure.pause
        pause = min(pause, self.longest_pause)
        if clock.monotonic() + pause > until:
            return False
        log.warning("%s Trying again%s.", failure.reason, f" in {pause:g} s" if pause else "")
        if pause:
            clock.sleep(pause)
        return True
