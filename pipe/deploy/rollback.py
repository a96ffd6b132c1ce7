"""Rolling back: the previous images, for every target that is still ours, followed to the end.

Targets are read and prepared all at once, restored one by one in reverse order, and followed
together.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pipe import image
from pipe.clock import Clock, Deadline
from pipe.deploy import plan as planning
from pipe.errors import PipeError
from pipe.kinds import Drivers
from pipe.model import Change, Restart, Resumption, Snapshot, Target, Update
from pipe.rollout import Ready, Superseded, Verdict, Watcher, words
from pipe.rollout.loop import follow
from pipe.secret import clause
from pipe.settings import Settings

log = logging.getLogger(__name__)


class RollbackOutcome(StrEnum):
    """How the rollback of one target ended."""

    RESTORED = "restored"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True)
class TargetRollback:
    """The rollback of one target; `message` is the rest of a sentence about the target.

    `watcher` has seen what the target runs now, None when it was not followed to the end.
    """

    change: Change
    outcome: RollbackOutcome
    message: str
    watcher: Watcher | None = None


@dataclass(frozen=True)
class _Step:
    """A change and the update that undoes it."""

    change: Change
    update: Update


@dataclass
class Rollback:
    """One rollback; `log_defect` logs the traceback of an unexpected exception.

    `sent` holds the updates that were sent or may have been, `ended` the rollbacks that are over.
    Both are kept up to date, for a run that is interrupted in between.
    """

    drivers: Drivers
    settings: Settings
    clock: Clock
    log_defect: Callable[[Exception], None]
    sent: dict[Target, Update] = field(default_factory=dict)
    ended: dict[Target, TargetRollback] = field(default_factory=dict)

    def run(self, made: Sequence[Change]) -> tuple[TargetRollback, ...]:
        """Restore the previous images, last change first, and verify that they run.

        Never raises an `Exception`: a failure is the rollback's outcome.
        """
        newest_first = tuple(reversed(made))
        try:
            sent = [step for step in self._plan(newest_first) if self._has_sent(step)]
            if sent:
                self._verify(sent)
        except Exception as error:  # noqa: BLE001 - see above
            self._fail(newest_first, error)
        return tuple(self.ended[change.target] for change in newest_first)

    def _plan(self, made: Sequence[Change]) -> list[_Step]:
        """Return a step for each change that can be undone; end the other rollbacks."""
        now = self.drivers.read([change.target for change in made])
        steps: list[_Step] = []
        for change in made:
            decided = _decide(change, now.get(change.target))
            if isinstance(decided, TargetRollback):
                self.ended[change.target] = decided
            else:
                steps.append(_Step(change, decided))
        prepared = self._prepared([step.update for step in steps]) if steps else ()
        # Preparing takes time: nothing may come between the last look and the write.
        again = planning.look_again(prepared, self.drivers)
        changes = {step.change.target: step.change for step in steps}
        for target, conflict in again.conflicts.items():
            reason = clause(conflict.diagnosis)
            self.ended[target] = TargetRollback(changes[target], RollbackOutcome.SUPERSEDED, reason)
        return [
            _Step(changes[update.target], update)
            for update in again.changes
            if isinstance(update, Update)
        ]

    def _prepared(self, updates: Sequence[Update]) -> Sequence[Change]:
        """Return the updates prepared, or as they are: unreadable pods must not prevent them."""
        try:
            return self.drivers.prepare(updates, is_urgent=True)
        except PipeError as error:
            log.warning("%s Rolling back without a look at the present pods.", error)
        except Exception as error:  # noqa: BLE001 - nor does a defect
            self.log_defect(error)
        return updates

    def _has_sent(self, step: _Step) -> bool:
        """Send one update; return False where that failed."""
        target = step.update.target
        # Noted first: a run that ends in the middle of a change must not deny it.
        self.sent[target] = step.update
        try:
            _send(step.update, self.drivers)
        except Exception as error:  # noqa: BLE001 - the others are to be rolled back all the same
            if isinstance(error, PipeError) and not error.may_have_applied:
                del self.sent[target]
            self._fail([step.change], error)
            return False
        return True

    def _verify(self, sent: Sequence[_Step]) -> None:
        stable, timeout = self.settings.stable_seconds, self.settings.wait_timeout
        updates = [step.update for step in sent]
        watcher = self.drivers.watch(updates, stable, self.settings.crash_limit)
        log.info("Following the rollback for at most %g s.", timeout)
        deadline = Deadline.after(self.clock, timeout)
        verdicts = follow([watcher], deadline, self.clock, to_the_end=True, patience=math.inf)
        for step in sent:
            verdict = verdicts[step.update.target]
            self.ended[step.change.target] = TargetRollback(
                step.change, _outcome(verdict), words(verdict), watcher
            )

    def _fail(self, changes: Sequence[Change], error: Exception) -> None:
        """End the rollbacks of these changes that have not ended."""
        if isinstance(error, PipeError):
            reason = clause(error.diagnosis)
        else:
            self.log_defect(error)
            reason = f"a defect of the pipe interrupted it ({type(error).__name__})"
        for change in changes:
            if change.target not in self.ended:
                self.ended[change.target] = TargetRollback(change, RollbackOutcome.FAILED, reason)


def _decide(change: Change, now: Snapshot | None) -> TargetRollback | Update:
    """Return the update that restores a target, or why there is none; `now` is the target."""
    rollback_to = change.rollback_to if isinstance(change, Update) else None
    if now is not None and rollback_to and _is_set_to(rollback_to, now):
        # The platform rolled back by itself, or the change never arrived.
        return Update(now, rollback_to, Resumption())
    if now is None or not _is_set_to(change.images, now):
        images = ", ".join(now.images.values()) if now else "nothing"
        message = f"another deployment changed it meanwhile; it is set to {images} and left alone"
        return TargetRollback(change, RollbackOutcome.SUPERSEDED, message)
    if rollback_to is None:
        return TargetRollback(change, RollbackOutcome.FAILED, _no_previous_image(change))
    return Update(now, rollback_to, surviving_pods=change.previous_pods)


def _send(update: Update, drivers: Drivers) -> None:
    if update.resumes:
        log.info("%s: is set to %s again already.", update.target, update.image)
        return
    log.info("%s: rolling back to %s.", update.target, ", ".join(update.images.values()))
    drivers.change(update)


def _is_set_to(images: Mapping[str, str], now: Snapshot) -> bool:
    return all(image.same(wanted, now.images.get(name, "")) for name, wanted in images.items())


def _no_previous_image(change: Change) -> str:
    if isinstance(change, Restart):
        return "there is no previous image to restore: it was only restarted"
    return (
        "its previous image is unknown: an earlier run made the change, and the portal keeps no "
        "history of images"
    )


def _outcome(verdict: Verdict) -> RollbackOutcome:
    if isinstance(verdict, Superseded):
        return RollbackOutcome.SUPERSEDED
    return RollbackOutcome.RESTORED if isinstance(verdict, Ready) else RollbackOutcome.FAILED
