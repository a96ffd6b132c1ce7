"""Making a change exactly once although replies get lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.errors import PlatformError

log = logging.getLogger(__name__)

_PAUSE = 2.0


@dataclass(frozen=True)
class SendOnce:
    """Sends, and when it stays open whether that worked, looks before it sends again.

    `tries` bounds how often something is sent, two seconds apart at least, and `patience` the
    seconds after which nothing more is sent: silence costs a minute each time.
    """

    clock: Clock
    tries: int = 4
    patience: float = 180.0

    def send(
        self, what: str, send: Callable[[], None], arrived: Callable[[], bool] | None = None
    ) -> None:
        """Make the change that `send` makes; raises the last `PlatformError` when it fails.

        `arrived` looks whether the change has been made; without it, once more harms nobody.
        """
        until = self.clock.monotonic() + self.patience
        for attempt in range(1, self.tries + 1):
            try:
                send()
            except PlatformError as trouble:
                if trouble.may_have_applied and arrived:
                    log.warning("%s Looking whether the change of %s arrived.", trouble, what)
                    if self._shows(arrived):
                        log.info("It did; %s is not changed a second time.", what)
                        return
                late = attempt == self.tries or self.clock.monotonic() >= until
                if late or not trouble.retryable:
                    raise
                self._before_next(
                    trouble, what, looked=trouble.may_have_applied and arrived is not None
                )
            else:
                return

    def _shows(self, arrived: Callable[[], bool]) -> bool:
        """Asked twice with a pause: an answer may get lost before the portal has finished."""
        for _ in range(2):
            self.clock.sleep(_PAUSE)
            if arrived():
                return True
        return False

    def _before_next(self, trouble: PlatformError, what: str, *, looked: bool) -> None:
        if looked:
            log.info("It did not; trying again to change %s.", what)
        else:
            log.warning("%s Trying again to change %s.", trouble, what)
            self.clock.sleep(_PAUSE)
