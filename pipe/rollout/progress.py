"""The log of a rollout in progress: every new verdict, and a line every 15 s without one.

Several targets make a table with one column of names and a row for each new verdict. With more
than ten targets, pods that come up one by one would add rows at every look. A row that differs
from the target's last one in nothing but numbers is then at most logged every five seconds.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipe.clock import Clock
from pipe.errors import PipeError
from pipe.model import Target
from pipe.rollout.verdict import Ready, Verdict, Waiting, words

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"\d+")

_LONGEST_SILENCE = 15.0
_MANY_TARGETS = 10
_ROW_INTERVAL = 5.0
_SHORTEST_SLEEP = 0.01


@dataclass(frozen=True)
class _Row:
    """A logged verdict; `gist` is what a row must change to be logged at once."""

    text: str
    gist: str
    at: float


class ProgressLog:
    """Logs verdicts as they change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = self._logged_at = clock.monotonic()
        self._rows: dict[Target, _Row] = {}
        self._verdicts: Mapping[Target, Verdict] = {}
        self._last_error = ""
        self._width = 0

    def wait(self, seconds: float) -> None:
        """Sleep, and log the last verdicts again if that takes long."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            due = _LONGEST_SILENCE - self._silence() if self._verdicts else left
            self._clock.sleep(min(left, max(_SHORTEST_SLEEP, due)))
            if self._clock.monotonic() < until:
                self.show(self._verdicts)

    def show(self, verdicts: Mapping[Target, Verdict]) -> None:
        """Log the verdicts that changed, or all after a long silence."""
        self._verdicts = verdicts
        self._last_error = ""
        if len(verdicts) > 1 and not self._width:
            self._begin_table(verdicts)
        texts = {target: words(verdict) for target, verdict in verdicts.items()}
        changed = {target: text for target, text in texts.items() if self._is_due(target, text)}
        if not changed and self._silence() >= _LONGEST_SILENCE:
            changed = {
                target: f"still: {texts[target]}"
                for target, verdict in verdicts.items()
                if not isinstance(verdict, Ready)
            }
            self._logged_at = self._clock.monotonic()
        for target, text in changed.items():
            verdict = verdicts[target]
            self._rows[target] = _Row(texts[target], _gist(verdict), self._clock.monotonic())
            name = f"{target!s:<{self._width}}  " if self._width else f"{target}: "
            good = isinstance(verdict, (Waiting, Ready))
            self._log(f"{name}{text}", logging.INFO if good else logging.ERROR)

    def failed_look(self, error: PipeError) -> None:
        """Log that a look failed, which does not stop the rollout itself."""
        if error.diagnosis != self._last_error or self._silence() >= _LONGEST_SILENCE:
            self._log(
                f"cannot check the rollout: {error} The rollout continues; checking again.",
                logging.WARNING,
            )
        self._last_error = error.diagnosis
        self._rows = {target: replace(row, text="") for target, row in self._rows.items()}
        self._verdicts = {}

    def _silence(self) -> float:
        return self._clock.monotonic() - self._logged_at

    def _is_due(self, target: Target, text: str) -> bool:
        """Return whether a verdict is new, and not too soon after a similar one."""
        row = self._rows.get(target)
        if row is None or row.text == text:
            return row is None
        is_similar = row.gist == _gist(self._verdicts[target])
        is_early = self._clock.monotonic() - row.at < _ROW_INTERVAL
        return len(self._verdicts) <= _MANY_TARGETS or not (is_similar and is_early)

    def _begin_table(self, verdicts: Mapping[Target, Verdict]) -> None:
        self._width = max(len("target"), *(len(str(target)) for target in verdicts))
        log.info("[ time] %s  state", "target".ljust(self._width))

    def _log(self, text: str, level: int) -> None:
        self._logged_at = self._clock.monotonic()
        log.log(level, "[%3.0f s] %s", self._logged_at - self._started, text)


def _gist(verdict: Verdict) -> str:
    """Return what stays the same while nothing but numbers changes."""
    stuck = verdict.stuck if isinstance(verdict, Waiting) else ""
    return f"{type(verdict).__name__} {_NUMBER.sub('', stuck)}"
