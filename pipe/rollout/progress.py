"""What a person reads while a rollout goes on: changes at once, a sign of life every 15 s."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipe.clock import Clock
from pipe.errors import PipeError
from pipe.model import Target
from pipe.rollout.verdict import Doomed, Late, Overtaken, Ready, Verdict, Waiting

log = logging.getLogger(__name__)

_SIGN_OF_LIFE = 15.0


class Progress:
    """Prints verdicts as they change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started = self._said_at = clock.monotonic()
        self._said: dict[Target, str] = {}

    def show(self, verdicts: Mapping[Target, Verdict]) -> None:
        """Say what changed since the last time, or that nothing did for long."""
        told = {target: words(verdict) for target, verdict in verdicts.items()}
        changed = {target: text for target, text in told.items() if self._said.get(target) != text}
        if not changed and self._clock.monotonic() - self._said_at >= _SIGN_OF_LIFE:
            changed = {
                target: f"still: {told[target]}"
                for target, verdict in verdicts.items()
                if not isinstance(verdict, Ready)
            }
        for target, text in changed.items():
            good = isinstance(verdicts[target], (Waiting, Ready))
            self._say(f"{target}: {text}", logging.INFO if good else logging.ERROR)
        self._said.update(told)

    def trouble(self, error: PipeError) -> None:
        """Say that a look failed and that the rollout goes on all the same."""
        self._said.clear()
        self._say(f"cannot look: {error} The rollout goes on; looking again.", logging.WARNING)

    def _say(self, text: str, level: int) -> None:
        self._said_at = self._clock.monotonic()
        log.log(level, "[%3.0f s] %s", self._said_at - self._started, text)


def words(verdict: Verdict) -> str:
    """A verdict as the rest of a sentence about its target."""
    if isinstance(verdict, Waiting):
        return f"{verdict.detail}; {verdict.stuck}" if verdict.stuck else verdict.detail
    if isinstance(verdict, Ready):
        return f"ready, {verdict.detail}"
    if isinstance(verdict, Doomed):
        return f"will not come up: {verdict.reason}"
    if isinstance(verdict, Overtaken):
        return f"somebody else changed it; it is to run {verdict.image} now"
    if isinstance(verdict, Late):
        return f"not done when the time was up: {verdict.detail}"
    raise AssertionError(verdict)
