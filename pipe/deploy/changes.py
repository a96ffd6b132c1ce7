"""Making the changes of a plan side by side, and keeping account of which were made."""

from __future__ import annotations

import logging
import threading
from bisect import insort
from collections.abc import Sequence

from pipe.errors import PipeError
from pipe.kinds import Drivers
from pipe.model import Change
from pipe.parallel import run_concurrently

log = logging.getLogger(__name__)


class AppliedChanges:
    """The changes of this run that took hold, or may have.

    `made` keeps the order of the plan. It also holds resumed changes, which an earlier run made.
    """

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._lock = threading.Lock()
        self.made: list[Change] = []

    def apply(self, changes: Sequence[Change]) -> None:
        """Make every change, once; raises the first `PipeError` and logs the others."""
        order = {change.target: place for place, change in enumerate(changes)}

        def make(change: Change) -> None:
            with self._lock:
                # Noted first: a run that ends in the middle of a change must not deny it.
                insort(self.made, change, key=lambda one: order[one.target])
            if change.resumes is None:
                self._make(change)

        first, *others = run_concurrently(make, changes) or (None,)
        for error in others:
            log.error("%s", error)
        if first is not None:
            raise first

    def _make(self, change: Change) -> None:
        try:
            self._drivers.change(change)
        except PipeError as error:
            if not error.may_have_applied or self._is_untouched(change):
                with self._lock:
                    self.made.remove(change)
            raise
        log.info("%s: changed.", change.target)

    def _is_untouched(self, change: Change) -> bool:
        """Return whether the portal shows the target as before; False when that is unknown."""
        try:
            now = self._drivers.read([change.target]).get(change.target)
        except PipeError:
            return False
        return now is not None and now.version == change.before.version
