"""Changes that are made once although replies get lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.errors import PlatformError
from pipe.retry import Retryable, RetryPolicy

log = logging.getLogger(__name__)

_PAUSE = 2.0


@dataclass(frozen=True)
class SendOnce:
    """Sends a change; after a lost reply, reads the target back before sending again.

    `tries` limits how often a change is sent, at least two seconds apart. Nothing is sent after
    `patience` seconds: each request without an answer costs a minute.
    """

    clock: Clock
    tries: int = 4
    patience: float = 180.0

    def send(
        self, target: str, send: Callable[[], None], has_arrived: Callable[[], bool] | None = None
    ) -> None:
        """Make the change that `send` makes; raise the last `PlatformError` if it fails.

        `has_arrived` returns whether the target shows the change. Omit it where sending twice does
        no harm.
        """

        def attempt() -> PlatformError | None:
            try:
                send()
            except PlatformError as error:
                return None if self._was_applied(target, error, has_arrived) else error
            return None

        def classify(error: PlatformError | None) -> Retryable | None:
            if error is None or not error.retryable:
                return None
            if error.may_have_applied and has_arrived:
                # Reading the target back has already taken longer than the pause.
                return Retryable(f"The change of {target} was not applied.", pause=0.0)
            return Retryable(f"{error} The change of {target} was not applied.")

        policy = RetryPolicy(self.patience, _PAUSE, first_pause=_PAUSE, tries=self.tries)
        if error := policy.call(self.clock, attempt, classify_result=classify):
            raise error

    def _was_applied(
        self, target: str, error: PlatformError, has_arrived: Callable[[], bool] | None
    ) -> bool:
        """Check twice, after a pause each: a reply may be lost before the portal has finished."""
        if not error.may_have_applied or not has_arrived:
            return False
        log.warning("%s Checking whether the change of %s was applied.", error, target)
        for _ in range(2):
            self.clock.sleep(_PAUSE)
            if has_arrived():
                log.info("It was; %s is not changed a second time.", target)
                return True
        return False
