"""Delivering messages in the background, so that nobody's silence holds up a deploy."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from pipe.http import Limits

log = logging.getLogger(__name__)

Job = Callable[[], None]


LIMITS = Limits(connect=3.0, read=4.0, whole=4.0, body=1 << 16, tries=1)
"""For one message: nobody waits for it longer than it is worth."""


class DeliveryFailed(Exception):
    """Why a message did not get through, for a warning."""


class BackgroundSender:
    """Runs jobs one after the other on a thread of its own.

    All of them together cost the run at most `seconds`, spent in `finish`; what has not got
    through by then is given up. A job that fails warns.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._jobs: queue.SimpleQueue[tuple[str, Job] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._at = ""
        self._over = False

    def post(self, receiver: str, job: Job) -> None:
        """Have a message delivered to `receiver`; returns at once."""
        if self._thread is None:
            # A daemon: the interpreter does not wait for it at the end either.
            self._thread = threading.Thread(target=self._work, name="courier", daemon=True)
            self._thread.start()
        self._jobs.put((receiver, job))

    def finish(self) -> None:
        """Wait for what is under way, for as long as there is time."""
        if self._thread is None:
            return
        self._jobs.put(None)
        self._thread.join(self._seconds)
        self._over = True
        if self._thread.is_alive():
            log.warning(
                "%s: no answer within %g s; the run goes on without.", self._at, self._seconds
            )

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None and not self._over:
            self._at, job = entry
            try:
                job()
            except Exception as error:  # noqa: BLE001 - telling people never changes the outcome
                if not self._over:
                    why = str(error) if isinstance(error, DeliveryFailed) else repr(error)
                    log.warning("%s: the message did not get through: %s", self._at, why)
