"""Following the changes of a run, with everything that was seen noted in its record."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.deploy import outcome
from pipe.errors import IdentityError, PlatformError
from pipe.model import Change, Target
from pipe.report import Recorder
from pipe.rollout import Verdict, Watcher
from pipe.rollout.loop import follow
from pipe.settings import Settings

log = logging.getLogger(__name__)


def follow_changes(
    watcher: Watcher,
    changes: Sequence[Change],
    settings: Settings,
    clock: Clock,
    recorder: Recorder,
) -> Mapping[Target, Verdict]:
    """Follow the rollouts to their verdicts; raise `PlatformError` if that is impossible."""
    timeout = settings.wait_timeout
    log.info(
        "Following the rollout for at most %g s; new pods must stay up for %g s.",
        timeout,
        settings.stable_seconds,
    )
    started = clock.monotonic()

    def note() -> None:
        seconds = clock.monotonic() - started
        for target in (change.target for change in changes):
            recorder.followed(target, watcher.state(target), watcher.pod_counts(target), seconds)

    try:
        verdicts = follow([watcher], Deadline.after(clock, timeout), clock)
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
