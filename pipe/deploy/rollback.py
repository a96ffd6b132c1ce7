"""The way back: the images from before, for whatever is still ours, followed to the end.

Targets are read and prepared all at once, put back one by one in reverse order, and followed
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
from pipe.kinds.base import Watcher
from pipe.model import Change, Snapshot
from pipe.rollout import Ready, Superseded, Verdict
from pipe.rollout.loop import follow
from pipe.rollout.progress import words
from pipe.settings import Settings

log = logging.getLogger(__name__)


class RollbackOutcome(StrEnum):
    """What became of one target on the way back."""

    RESTORED = "restored"
    THEIRS = "theirs"
    FAILED = "failed"


@dataclass(frozen=True)
class TargetRollback:
    """One target after the way back; `told` is the rest of a sentence about it.

    `watcher` has seen what it runs now, if it was followed.
    """

    change: Change
    fate: RollbackOutcome
    message: str
    watcher: Watcher | None = None


def roll_back(
    made: Sequence[Change], drivers: Drivers, settings: Settings, clock: Clock
) -> tuple[TargetRollback, ...]:
    """Put the images from before back, last change first, and verify that they run.

    Never raises a `PipeError`: a failure is an ending too.
    """
    newest_first = tuple(reversed(made))
    try:
        endings, ways = _ways_back(newest_first, drivers)
    except PipeError as error:
        return tuple(
            TargetRollback(one, RollbackOutcome.FAILED, error.diagnosis) for one in newest_first
        )
    sent: list[tuple[Change, Change]] = []
    for change, back in ways:
        try:
            _send(back, drivers)
        except PipeError as error:
            endings.append(TargetRollback(change, RollbackOutcome.FAILED, error.diagnosis))
        else:
            sent.append((change, back))
    if not sent:
        return tuple(endings)
    watcher = drivers.watch([back for _, back in sent], settings.stable_seconds)
    return (*endings, *_verify(sent, watcher, settings, clock))


def _ways_back(
    made: Sequence[Change], drivers: Drivers
) -> tuple[list[TargetRollback], list[tuple[Change, Change]]]:
    """What needs no way back, and each other change with the one that undoes it."""
    now = drivers.read([change.target for change in made])
    endings: list[TargetRollback] = []
    ways: list[tuple[Change, Change]] = []
    for change in made:
        seen = now.get(change.target)
        if seen is not None and change.back and _has(change.back, seen):
            # The platform went back by itself, or the change never arrived.
            ways.append((change, Change(seen, change.back, resumed=True)))
        elif seen is None or not _has(change.images, seen):
            endings.append(TargetRollback(change, RollbackOutcome.THEIRS, _theirs(seen)))
        elif change.back is None:
            endings.append(
                TargetRollback(change, RollbackOutcome.FAILED, _nothing_to_put_back(change))
            )
        else:
            ways.append((change, Change(seen, change.back)))
    prepared = drivers.prepare([back for _, back in ways]) if ways else ()
    # Preparing takes its time: nothing may lie between the last look and the way back.
    theirs = planning.conflicts(prepared, drivers)
    still_ours = []
    for (change, _), back in zip(ways, prepared, strict=True):
        if conflict := theirs.get(back.target):
            endings.append(
                TargetRollback(change, RollbackOutcome.THEIRS, conflict.diagnosis.rstrip("."))
            )
        else:
            still_ours.append((change, back))
    return endings, still_ours


def _send(back: Change, drivers: Drivers) -> None:
    if back.resumed:
        log.info("%s: asks for %s again already.", back.target, back.main_image)
        return
    log.info("%s: putting back %s.", back.target, ", ".join(back.images.values()))
    drivers.change(back)


def _has(images: Mapping[str, str], now: Snapshot) -> bool:
    return all(image.same(wanted, now.images.get(name, "")) for name, wanted in images.items())


def _theirs(now: Snapshot | None) -> str:
    images = ", ".join(now.images.values()) if now else "nothing"
    return f"somebody else changed it meanwhile; it asks for {images} and is left alone"


def _nothing_to_put_back(change: Change) -> str:
    if change.restart:
        return "there is no other image to put back: it was only restarted"
    return (
        "nobody knows what ran before: the change was made by an earlier run, and the portal "
        "keeps no history of images"
    )


def _verify(
    sent: Sequence[tuple[Change, Change]], watcher: Watcher, settings: Settings, clock: Clock
) -> list[TargetRollback]:
    log.info("Following the way back, at most %g s.", settings.wait_timeout)
    deadline = Deadline.after(clock, settings.wait_timeout)
    try:
        verdicts = follow([watcher], deadline, clock, to_the_end=True)
    except PipeError as error:
        return [
            TargetRollback(change, RollbackOutcome.FAILED, error.diagnosis, watcher)
            for change, _ in sent
        ]
    endings = []
    for change, back in sent:
        verdict = verdicts[back.target]
        endings.append(TargetRollback(change, _fate(verdict), words(verdict), watcher))
    return endings


def _fate(verdict: Verdict) -> RollbackOutcome:
    if isinstance(verdict, Superseded):
        return RollbackOutcome.THEIRS
    return RollbackOutcome.RESTORED if isinstance(verdict, Ready) else RollbackOutcome.FAILED
