"""The log of how a job goes: what is news, and a line now and then where nothing is."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.jobs.judge import JobState, Running, Starting

log = logging.getLogger(__name__)

_SILENCE = 15.0


@dataclass
class JobProgress:
    """Logs the states of the job called `name`, which began to be followed at `started`."""

    clock: Clock
    setting: str
    name: str
    started: float = 0.0
    _logged_at: float = 0.0
    _logged: str = ""
    _written: int = 0

    def report(self, state: JobState, written: int) -> None:
        """Log a state unless it is no news; `written` lines of the command came so far."""
        now = self.clock.monotonic()
        if written != self._written:
            self._written, self._logged_at = written, now
        text = _words(state)
        if not text or (text == self._logged and now - self._logged_at < _SILENCE):
            return
        self._logged, self._logged_at = text, now
        log.info("%s: [%3.0f s] the job %s %s.", self.setting, now - self.started, self.name, text)

    def warn(self, text: str) -> None:
        """Log a failed look unless the last one failed in the same way."""
        if text != self._logged:
            self._logged, self._logged_at = text, self.clock.monotonic()
            log.warning("%s", text)


def _words(state: JobState) -> str:
    match state:
        case Starting(stuck):
            return f"is starting{f'; its pod {stuck}' if stuck else ''}"
        case Running():
            return "is running"
        case _:
            return ""
