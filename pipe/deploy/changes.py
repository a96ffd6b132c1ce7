"""Making the changes of a plan side by side, and keeping account of which were made."""

from __future__ import annotations

import logging
import threading
from bisect import insort
from collections.abc import Sequence

from pipe import image
from pipe.errors import PipeError, Unreachable
from pipe.kinds import Drivers
from pipe.model import Change, Snapshot
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
            if self._is_untouched(change, error):
                with self._lock:
                    self.made.remove(change)
            raise
        log.info("%s: changed.", change.target)

    def _is_untouched(self, change: Change, error: PipeError) -> bool:
        """Return whether the target is as before, where its change ended with `error`.

        A refusal counts unless the portal shows the change all the same: a gateway may refuse to
        deliver the reply to a request that it let through.
        """
        if isinstance(error, Unreachable) and not error.may_have_applied:
            return True
        try:
            now = self._drivers.read([change.target]).get(change.target)
        except PipeError:
            return not error.may_have_applied
        if now is None or now.version == change.before.version:
            return now is not None or not error.may_have_applied
        return not error.may_have_applied and not _is_visible(change, now)


def _is_visible(change: Change, now: Snapshot) -> bool:
    """Return whether the target is set to images that it was not set to before."""
    return now.images != change.before.images and all(
        image.same(wanted, now.images.get(name, "")) for name, wanted in change.images.items()
    )
