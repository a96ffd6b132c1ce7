"""Rolling back: the previous images, for every target that is still ours, followed to the end.

Targets are read and prepared all at once, restored one by one in reverse order, and followed
together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipe import image
from pipe.clock import Clock, Deadline
from pipe.deploy import plan as planning
from pipe.errors import PipeError
from pipe.kinds import Drivers
from pipe.model import Change, Restart, Resumption, Snapshot, Update
from pipe.rollout import Ready, Superseded, Verdict, Watcher, words
from pipe.rollout.loop import follow
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

    `watcher` has seen what the target runs now, None when it was not followed.
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


def roll_back(
    made: Sequence[Change], drivers: Drivers, settings: Settings, clock: Clock
) -> tuple[TargetRollback, ...]:
    """Restore the previous images, last change first, and verify that they run.

    Never raises a `PipeError`: a failure is the rollback's outcome.
    """
    newest_first = tuple(reversed(made))
    try:
        ended, steps = _plan(newest_first, drivers)
    except PipeError as error:
        return tuple(_failed(change, error) for change in newest_first)
    sent: list[_Step] = []
    for step in steps:
        try:
            _send(step.update, drivers)
        except PipeError as error:
            ended.append(_failed(step.change, error))
        else:
            sent.append(step)
    if not sent:
        return tuple(ended)
    watcher = drivers.watch([step.update for step in sent], settings.stable_seconds)
    return (*ended, *_verify(sent, watcher, settings, clock))


def _plan(made: Sequence[Change], drivers: Drivers) -> tuple[list[TargetRollback], list[_Step]]:
    """Return the rollbacks that ended before they began, and a step for each other change."""
    now = drivers.read([change.target for change in made])
    ended: list[TargetRollback] = []
    steps: list[_Step] = []
    for change in made:
        decided = _decide(change, now.get(change.target))
        if isinstance(decided, TargetRollback):
            ended.append(decided)
        else:
            steps.append(_Step(change, decided))
    prepared = drivers.prepare([step.update for step in steps]) if steps else ()
    # Preparing takes time: nothing may come between the last look and the write.
    conflicts = planning.conflicts(prepared, drivers)
    still_ours = []
    for step, update in zip(steps, prepared, strict=True):
        if conflict := conflicts.get(update.target):
            reason = conflict.diagnosis.rstrip(".")
            ended.append(TargetRollback(step.change, RollbackOutcome.SUPERSEDED, reason))
        elif isinstance(update, Update):
            still_ours.append(_Step(step.change, update))
    return ended, still_ours


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
    return Update(now, rollback_to)


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


def _verify(
    sent: Sequence[_Step], watcher: Watcher, settings: Settings, clock: Clock
) -> list[TargetRollback]:
    log.info("Following the rollback for at most %g s.", settings.wait_timeout)
    deadline = Deadline.after(clock, settings.wait_timeout)
    try:
        verdicts = follow([watcher], deadline, clock, to_the_end=True)
    except PipeError as error:
        return [_failed(step.change, error, watcher) for step in sent]
    return [
        TargetRollback(step.change, _outcome(verdict), words(verdict), watcher)
        for step in sent
        for verdict in [verdicts[step.update.target]]
    ]


def _failed(change: Change, error: PipeError, watcher: Watcher | None = None) -> TargetRollback:
    return TargetRollback(change, RollbackOutcome.FAILED, error.diagnosis, watcher)


def _outcome(verdict: Verdict) -> RollbackOutcome:
    if isinstance(verdict, Superseded):
        return RollbackOutcome.SUPERSEDED
    return RollbackOutcome.RESTORED if isinstance(verdict, Ready) else RollbackOutcome.FAILED
