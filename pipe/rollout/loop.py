"""The one loop that follows all rollouts of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.errors import IdentityError, PlatformError, Unreachable
from pipe.model import Target
from pipe.rollout import Watcher
from pipe.rollout.progress import Progress
from pipe.rollout.verdict import Ready, Verdict, Waiting

_FIRST_PAUSE = 1.0
_FIRST_PAUSE_FOR_ONE = 0.5
_PAUSE_AFTER_TROUBLE = 2.0
_SHARE = 9.0
"""Pauses are at least this many times as long as the look before: a tenth of the time at most."""
_REFUSALS = 2
"""Looks in a row that must be refused before it counts as final."""


def follow(
    watchers: Sequence[Watcher], deadline: Deadline, clock: Clock, *, to_the_end: bool = False
) -> Mapping[Target, Verdict]:
    """Look until every target is ready or one cannot become so; the last verdicts.

    With `to_the_end` a target that cannot become ready does not end it for the others.

    A portal that cannot be reached is waited for until the deadline, a refusal is not.
    Raises the last `PipeError` when no look succeeded at the end.
    """
    progress = Progress(clock)
    refused = 0
    while True:
        started = clock.monotonic()
        until = None
        try:
            verdicts = {
                target: verdict
                for watcher in watchers
                for target, verdict in watcher.look(deadline).items()
            }
        except (PlatformError, IdentityError) as error:
            waitable = isinstance(error, PlatformError) and (
                error.retryable or isinstance(error, Unreachable)
            )
            refused = 0 if waitable else refused + 1
            if refused >= _REFUSALS or deadline.passed():
                raise
            progress.trouble(error)
            pause = _PAUSE_AFTER_TROUBLE
        else:
            refused = 0
            progress.show(verdicts)
            if _is_over(verdicts, to_the_end=to_the_end):
                return verdicts
            until = _moment(verdicts)
            pause = _FIRST_PAUSE if len(verdicts) > 1 else _FIRST_PAUSE_FOR_ONE
        progress.wait(_pause(clock, started, pause, until, deadline))


def _is_over(verdicts: Mapping[Target, Verdict], *, to_the_end: bool) -> bool:
    waiting = any(isinstance(verdict, Waiting) for verdict in verdicts.values())
    bad = any(not isinstance(verdict, (Waiting, Ready)) for verdict in verdicts.values())
    return not waiting or (bad and not to_the_end)


def _moment(verdicts: Mapping[Target, Verdict]) -> float | None:
    """When the last of the waiting targets turns good by itself, if all of them do."""
    moments = [verdict.until for verdict in verdicts.values() if isinstance(verdict, Waiting)]
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def _pause(
    clock: Clock, started: float, least: float, until: float | None, deadline: Deadline
) -> float:
    now = clock.monotonic()
    took = now - started
    # A slow answer must not take the rest of the time either: some looks are left in any case.
    pause = min(max(least - took, _SHARE * took), max(least, deadline.left() / 4))
    ends = [deadline.left(), *([max(0.0, until - now)] if until is not None else [])]
    return min([pause, *ends])
