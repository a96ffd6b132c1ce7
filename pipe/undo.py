"""The way back: the images from before, for whatever is still ours, followed to the end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pipe import image
from pipe import plan as planning
from pipe.clock import Clock, Deadline
from pipe.errors import Conflict, PipeError
from pipe.kinds.interface import Kind, Watcher
from pipe.model import Change, Snapshot
from pipe.rollout import Overtaken, Ready, Verdict
from pipe.rollout.loop import follow
from pipe.rollout.progress import words
from pipe.settings import Settings

log = logging.getLogger(__name__)


class Fate(Enum):
    """What became of one target on the way back."""

    RESTORED = "restored"
    THEIRS = "theirs"
    FAILED = "failed"


@dataclass(frozen=True)
class Ending:
    """One target after the way back; `told` is the rest of a sentence about it."""

    change: Change
    fate: Fate
    told: str


def put_back(
    made: Sequence[Change], kind: Kind, settings: Settings, clock: Clock
) -> tuple[tuple[Ending, ...], Watcher | None]:
    """Put the images from before back, last change first, and verify that they run.

    Never raises a `PipeError`: a failure is an ending too. Also hands out the watcher that
    saw the result, if anything was put back at all.
    """
    endings: list[Ending] = []
    sent: list[tuple[Change, Change]] = []
    for change in reversed(made):
        try:
            ending, back = _send_back(change, kind)
        except Conflict as error:
            ending, back = Ending(change, Fate.THEIRS, error.diagnosis), None
        except PipeError as error:
            ending, back = Ending(change, Fate.FAILED, error.diagnosis), None
        if back:
            sent.append((change, back))
        elif ending:
            endings.append(ending)
    if not sent:
        return tuple(endings), None
    watcher = kind.watch([back for _, back in sent], settings.stable_seconds)
    endings += _verify(sent, watcher, settings, clock)
    return tuple(endings), watcher


def _send_back(change: Change, kind: Kind) -> tuple[Ending | None, Change | None]:
    now = kind.read([change.target]).get(change.target)
    if now is None or not _is_ours(change, now):
        images = ", ".join(now.images.values()) if now else "nothing"
        told = f"somebody else changed it meanwhile; it asks for {images} and is left alone"
        return Ending(change, Fate.THEIRS, told), None
    if change.back is None:
        return Ending(change, Fate.FAILED, _nothing_to_put_back(change)), None
    (back,) = kind.prepare([Change(now, change.back)])
    planning.confirm([back], kind)
    log.info("%s: putting back %s.", change.target, ", ".join(change.back.values()))
    kind.change(back)
    return None, back


def _is_ours(change: Change, now: Snapshot) -> bool:
    return all(
        image.same(wanted, now.images.get(name, "")) for name, wanted in change.images.items()
    )


def _nothing_to_put_back(change: Change) -> str:
    if change.restart:
        return "there is no other image to put back: it was only restarted"
    return (
        "nobody knows what ran before: the change was made by an earlier run, and the portal "
        "keeps no history of images"
    )


def _verify(
    sent: Sequence[tuple[Change, Change]], watcher: Watcher, settings: Settings, clock: Clock
) -> list[Ending]:
    log.info("Following the way back, at most %g s.", settings.wait_timeout)
    deadline = Deadline.after(clock, settings.wait_timeout)
    try:
        verdicts = follow([watcher], deadline, clock)
    except PipeError as error:
        return [Ending(change, Fate.FAILED, error.diagnosis) for change, _ in sent]
    endings = []
    for change, back in sent:
        verdict = verdicts[back.target]
        endings.append(Ending(change, _fate(verdict), words(verdict)))
    return endings


def _fate(verdict: Verdict) -> Fate:
    if isinstance(verdict, Overtaken):
        return Fate.THEIRS
    return Fate.RESTORED if isinstance(verdict, Ready) else Fate.FAILED
