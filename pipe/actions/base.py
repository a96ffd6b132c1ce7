"""What every action gets, and what it must be able to do."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipe.dependencies import Dependencies
from pipe.http import Network
from pipe.portal.opening import OpenedPortal
from pipe.report import Recorder
from pipe.secret import Mask
from pipe.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """Everything an action works with.

    `save` writes the record so far to disk; `notify_started` announces that the run is about to
    change something. `opened` is the portal if it was opened before the action.
    """

    settings: Settings
    dependencies: Dependencies
    mask: Mask
    network: Network
    recorder: Recorder
    save: Callable[[], None]
    notify_started: Callable[[], None]
    opened: OpenedPortal | None = None


class BaseAction(ABC):
    """One thing a run can be for."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @abstractmethod
    def execute(self) -> str:
        """Do it, and return the sentence that states how it went.

        Raises the `PipeError` that the run ends with.
        """

    def has_changed(self) -> bool:
        """Return whether the action changed any target, or may have."""
        return False

    def clean_up(self) -> None:
        """Remove what the action left behind for itself alone; the run has ended."""
        log.debug("There is nothing to clean up.")

    def what_runs_now(self) -> str:
        """Return the sentence that answers the first question after a failed step."""
        return "Nothing was changed."


def log_remedy(level: int, remedy: str, details: Sequence[str]) -> None:
    """Write to the log what to do, and the lines to copy for it."""
    log.log(level, "What to do: %s", remedy)
    for line in details:
        log.log(level, "  %s", line)
