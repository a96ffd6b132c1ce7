"""Deliver messages in the background, so that a slow receiver never holds up a deploy."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from pipe.http import Limits

log = logging.getLogger(__name__)

Delivery = Callable[[], None]
"""Delivers one message; may raise `DeliveryFailed`."""

THREAD = "notifications"

LIMITS = Limits(connect=3.0, read=4.0, whole=4.0, body=1 << 16, tries=1)
"""For the request that delivers one message."""


class DeliveryFailed(Exception):
    """A message was not delivered; its text is the reason, for a warning."""


class BackgroundSender:
    """Delivers messages one after the other on a thread of its own.

    Together they delay the run by at most `seconds`, spent in `finish`; anything undelivered by
    then is abandoned. A delivery that fails logs a warning.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._queue: queue.SimpleQueue[tuple[str, Delivery] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._receiver = ""
        self._over = False

    def post(self, receiver: str, delivery: Delivery) -> None:
        """Queue a message to `receiver` and return at once."""
        if self._thread is None:
            # A daemon, so that the interpreter does not wait for it on exit.
            self._thread = threading.Thread(target=self._work, name=THREAD, daemon=True)
            self._thread.start()
        self._queue.put((receiver, delivery))

    def finish(self) -> None:
        """Wait for the queued messages, until they are delivered or the time is up."""
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join(self._seconds)
        self._over = True
        if self._thread.is_alive():
            log.warning(
                "%s: no response within %g s; the message was given up.",
                self._receiver,
                self._seconds,
            )

    def _work(self) -> None:
        while (entry := self._queue.get()) is not None and not self._over:
            self._receiver, delivery = entry
            try:
                delivery()
            except Exception as error:  # noqa: BLE001 - a message never changes the outcome
                if not self._over:
                    reason = str(error) if isinstance(error, DeliveryFailed) else repr(error)
                    log.warning("%s: the message was not delivered: %s", self._receiver, reason)
