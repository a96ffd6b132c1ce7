"""What a person reads while a rollout goes on: changes at once, a sign of life every 15 s.

Several targets make a table: one column of names, and a row whenever one of them changes. With
many, pods that come up one by one would fill it at every look: then a row that differs in nothing
but numbers comes every five seconds.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from pipe.clock import Clock
from pipe.errors import PipeError
from pipe.model import Target
from pipe.rollout.verdict import Ready, Verdict, Waiting, words

log = logging.getLogger(__name__)

_NUMBERS = re.compile(r"\d+")

_SIGN_OF_LIFE = 15.0
_MANY = 10
_ROW_PAUSE = 5.0
_SHORTEST_SLEEP = 0.01


class Progress:
    """Prints verdicts as they change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = self._said_at = clock.monotonic()
        self._said: dict[Target, str] = {}
        self._rows: dict[Target, tuple[str, float]] = {}
        self._shown: Mapping[Target, Verdict] = {}
        self._trouble = ""
        self._width = 0

    def wait(self, seconds: float) -> None:
        """Sleep, with a sign of life when that takes long."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            said_before = self._clock.monotonic() - self._said_at
            quiet = _SIGN_OF_LIFE - said_before if self._shown else left
            self._clock.sleep(min(left, max(_SHORTEST_SLEEP, quiet)))
            if self._clock.monotonic() < until:
                self.show(self._shown)

    def show(self, verdicts: Mapping[Target, Verdict]) -> None:
        """Say what changed since the last time, or that nothing did for long."""
        self._shown = verdicts
        self._trouble = ""
        told = {target: words(verdict) for target, verdict in verdicts.items()}
        if len(verdicts) > 1 and not self._width:
            self._begin_table(verdicts)
        changed = {
            target: text
            for target, text in told.items()
            if self._said.get(target) != text and self._is_due(target, verdicts[target])
        }
        quiet = self._clock.monotonic() - self._said_at
        if not changed and quiet >= _SIGN_OF_LIFE:
            changed = {
                target: f"still: {told[target]}"
                for target, verdict in verdicts.items()
                if not isinstance(verdict, Ready)
            }
            self._said_at = self._clock.monotonic()
        for target, text in changed.items():
            self._said[target] = told[target]
            self._rows[target] = _manner(verdicts[target]), self._clock.monotonic()
            good = isinstance(verdicts[target], (Waiting, Ready))
            name = f"{target!s:<{self._width}}  " if self._width else f"{target}: "
            self._say(f"{name}{text}", logging.INFO if good else logging.ERROR)

    def trouble(self, error: PipeError) -> None:
        """Say that a look failed and that the rollout goes on all the same."""
        quiet = self._clock.monotonic() - self._said_at
        if error.diagnosis != self._trouble or quiet >= _SIGN_OF_LIFE:
            self._say(f"cannot look: {error} The rollout goes on; looking again.", logging.WARNING)
        self._trouble = error.diagnosis
        self._said.clear()
        self._shown = {}

    def _is_due(self, target: Target, verdict: Verdict) -> bool:
        """Whether a row may come: at once when more than a number is new in it."""
        manner, at = self._rows.get(target, ("", 0.0))
        late = self._clock.monotonic() - at >= _ROW_PAUSE
        return len(self._shown) <= _MANY or late or manner != _manner(verdict)

    def _begin_table(self, verdicts: Mapping[Target, Verdict]) -> None:
        self._width = max(len("target"), *(len(str(target)) for target in verdicts))
        log.info("[ time] %s  state", "target".ljust(self._width))

    def _say(self, text: str, level: int) -> None:
        self._said_at = self._clock.monotonic()
        log.log(level, "[%3.0f s] %s", self._said_at - self._started, text)


def _manner(verdict: Verdict) -> str:
    """What stays the same while nothing but numbers changes."""
    stuck = verdict.stuck if isinstance(verdict, Waiting) else ""
    return f"{type(verdict).__name__} {_NUMBERS.sub('', stuck)}"
