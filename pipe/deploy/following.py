"""Following the changes of a run, with everything that was seen noted in its record."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.deploy import outcome
from pipe.deploy.current_state import CurrentState
from pipe.errors import IdentityError, PlatformError
from pipe.model import Change, Target
from pipe.report import Recorder
from pipe.rollout import Verdict, Watcher
from pipe.rollout.loop import LOST_SIGHT, follow
from pipe.settings import Settings

log = logging.getLogger(__name__)


def follow_changes(
    watcher: Watcher,
    state: CurrentState,
    changes: Sequence[Change],
    settings: Settings,
    clock: Clock,
    *,
    recorder: Recorder,
) -> Mapping[Target, Verdict]:
    """Follow the rollouts to their verdicts; raise `PlatformError` if that is impossible.

    `state` is kept up to date.
    """
    timeout, stable = settings.wait_timeout, settings.stable_seconds
    state.watcher = watcher
    line = "Following the rollout for at most %g s; new pods must stay up for %g s."
    log.info(line, timeout, stable)
    started = clock.monotonic()

    def note() -> None:
        seconds = clock.monotonic() - started
        for change in changes:
            _note(recorder, watcher, change.target, state.of(change), seconds)

    deadline, patience = Deadline.after(clock, timeout), _patience(settings)
    try:
        verdicts = follow([watcher], deadline, clock, patience=patience, sight=state.sight)
    except BaseException as error:
        # A defect in noting it must not turn an interruption into a failure.
        with contextlib.suppress(Exception):
            note()
        if not isinstance(error, (PlatformError, IdentityError)):
            raise
        recorder.lost_sight(error.diagnosis)
        raise outcome.lost_sight(error) from error
    note()
    recorder.judged(verdicts)
    return verdicts


def _note(recorder: Recorder, watcher: Watcher, target: Target, state: str, seconds: float) -> None:
    counts, seen_by = watcher.pod_counts(target), watcher.seen_by(target)
    recorder.followed(target, state, counts, seconds, seen_by=seen_by)
    recorder.reported(target, watcher.events(target))


def _patience(settings: Settings) -> float:
    """Return how many seconds of refusals end the wait.

    Where the end means a rollback, they alone must not bring it about before the time is up.
    """
    return math.inf if settings.rollback else LOST_SIGHT
