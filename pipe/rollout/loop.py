"""The loop that follows all rollouts of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.errors import IdentityError, PipeError, PlatformError, Unreachable
from pipe.model import Target
from pipe.rollout.progress import ProgressLog
from pipe.rollout.verdict import Ready, Verdict, Waiting
from pipe.rollout.watcher import Watcher

_PAUSE = 1.0
_PAUSE_FOR_ONE = 0.5
_PAUSE_AFTER_ERROR = 2.0
_PAUSE_PER_LOOK = 9.0
"""A pause is at least this many times as long as the look before: looks take 10% of the time."""
_MAX_REFUSALS = 2
"""A refusal is final at this many looks in a row: a single one may be a hiccup."""


def follow(
    watchers: Sequence[Watcher], deadline: Deadline, clock: Clock, *, to_the_end: bool = False
) -> Mapping[Target, Verdict]:
    """Look until every target is ready or one cannot become so; return the last verdicts.

    With `to_the_end`, a target that cannot become ready does not end the wait for the others.

    Keeps trying until the deadline while the portal is unreachable. Raises the last `PipeError`
    when it refuses twice in a row, or when the last look before the deadline failed.
    """
    progress = ProgressLog(clock)
    refusals = 0
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
            refusals = 0 if _may_pass(error) else refusals + 1
            if refusals >= _MAX_REFUSALS or deadline.passed():
                raise
            progress.failed_look(error)
            pause = _PAUSE_AFTER_ERROR
        else:
            refusals = 0
            progress.show(verdicts)
            if _is_over(verdicts, to_the_end=to_the_end):
                return verdicts
            until = _ready_at(verdicts)
            pause = _PAUSE if len(verdicts) > 1 else _PAUSE_FOR_ONE
        progress.wait(_pause(clock, started, pause, until, deadline))


def _may_pass(error: PipeError) -> bool:
    return isinstance(error, PlatformError) and (error.retryable or isinstance(error, Unreachable))


def _is_over(verdicts: Mapping[Target, Verdict], *, to_the_end: bool) -> bool:
    waiting = any(isinstance(verdict, Waiting) for verdict in verdicts.values())
    bad = any(not isinstance(verdict, (Waiting, Ready)) for verdict in verdicts.values())
    return not waiting or (bad and not to_the_end)


def _ready_at(verdicts: Mapping[Target, Verdict]) -> float | None:
    """Return when the last waiting target becomes ready, None unless all will by themselves."""
    moments = [verdict.until for verdict in verdicts.values() if isinstance(verdict, Waiting)]
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def _pause(
    clock: Clock, started: float, shortest: float, until: float | None, deadline: Deadline
) -> float:
    """Return the seconds to wait after a look that began at `started`."""
    now = clock.monotonic()
    took = now - started
    # One slow reply must not use up the remaining time: it still has to allow several looks.
    pause = min(max(shortest - took, _PAUSE_PER_LOOK * took), max(shortest, deadline.left() / 4))
    limits = [deadline.left(), *([max(0.0, until - now)] if until is not None else [])]
    return min([pause, *limits])
