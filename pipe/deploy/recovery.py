"""What follows an error after a change: the rollback, if requested, and what the run ends with."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.deploy import outcome
from pipe.deploy.current_state import CurrentState
from pipe.deploy.rollback import Rollback, RollbackOutcome, TargetRollback
from pipe.errors import PipeError
from pipe.kinds import Drivers
from pipe.model import Change, Target
from pipe.report import Recorder
from pipe.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Recovery:
    """Rolls back what this run changed; `log_defect` logs an unexpected exception."""

    settings: Settings
    drivers: Drivers
    clock: Clock
    recorder: Recorder
    state: CurrentState
    log_defect: Callable[[Exception], None]

    def after(
        self, error: Exception, made: Sequence[Change], superseded: Collection[Target]
    ) -> PipeError:
        """Return what the run ends with after `error`, once the changes were rolled back.

        Left alone are `superseded` targets, and changes that nothing proves to be this step's.
        """
        if not isinstance(error, PipeError):
            self._log_defect(error)
        ours = [one for one in made if one.is_ours and one.target not in superseded]
        # Before any words about it: nothing that can fail may come before the rollback.
        rollbacks = self._roll_back(ours) if self.settings.rollback and ours else ()
        failure = outcome.after_change(error)
        if not rollbacks:
            return failure
        return outcome.rollback_error(failure, rollbacks, any_superseded=bool(superseded))

    def _roll_back(self, ours: Sequence[Change]) -> Sequence[TargetRollback]:
        log.info("Rolling back to the previous version (ROLLBACK: 'true').")
        self.state.rollback = Rollback(self.drivers, self.settings, self.clock, self._log_defect)
        rollbacks = self.state.rollback.run(ours)
        try:
            for rollback in rollbacks:
                self._note(rollback)
        except Exception as error:  # noqa: BLE001 - what the rollback achieved stays true
            self._log_defect(error)
        return rollbacks

    def _note(self, rollback: TargetRollback) -> None:
        target, watcher = rollback.change.target, rollback.watcher
        followed = watcher and rollback.outcome is not RollbackOutcome.SUPERSEDED
        self.recorder.rolled_back(
            target,
            f"{rollback.outcome}: {rollback.message}",
            self.state.of(rollback.change),
            watcher.pod_counts(target) if watcher and followed else (),
        )

    def _log_defect(self, error: Exception) -> None:
        """Log the traceback, then release what its frames hold: memory may be short."""
        with contextlib.suppress(Exception):
            self.log_defect(error)
        traceback.clear_frames(error.__traceback__)
