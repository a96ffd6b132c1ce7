"""Making a change exactly once although replies get lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.errors import PlatformError, Unreachable

log = logging.getLogger(__name__)

_PAUSE = 2.0


@dataclass(frozen=True)
class Once:
    """Sends, and when it stays open whether that worked, looks before it sends again.

    `tries` bounds how often something is sent, two seconds apart at least, and `patience` the
    seconds after which nothing more is sent: silence costs a minute each time.
    """

    clock: Clock
    tries: int = 4
    patience: float = 180.0

    def send(self, what: str, send: Callable[[], None], arrived: Callable[[], bool]) -> None:
        """Make the change that `send` makes; `arrived` looks whether it has been made."""
        until = self.clock.monotonic() + self.patience
        for attempt in range(1, self.tries + 1):
            try:
                send()
            except PlatformError as trouble:
                if self._arrived(trouble, arrived):
                    log.info("%s: the change has arrived; it is not sent again.", what)
                    return
                late = self.clock.monotonic() >= until
                if not trouble.passing or attempt == self.tries or late:
                    raise
                log.warning("%s: %s Trying again.", what, trouble)
            else:
                return

    def _arrived(self, trouble: PlatformError, arrived: Callable[[], bool]) -> bool:
        """Asked twice with a pause: an answer may get lost before the portal has finished."""
        certain = isinstance(trouble, Unreachable) and not trouble.acted
        for _ in range(1 if certain or not trouble.passing else 2):
            self.clock.sleep(_PAUSE)
            if not certain and arrived():
                return True
        return False
