"""The loop that follows all rollouts of a run."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipe.clock import Clock, Deadline
from pipe.errors import IdentityError, PipeError, PlatformError, Unreachable
from pipe.model import Target
from pipe.rollout.progress import ProgressLog
from pipe.rollout.verdict import Ready, TimedOut, Verdict, Waiting
from pipe.rollout.watcher import Watcher

_PAUSE = 1.0
_PAUSE_FOR_ONE = 0.5
_PAUSE_WHILE_CALM = 2.5
"""The longest pause, but for half a usual one, while nothing but time is missing."""
_PAUSES_IF_CHEAP = 0.2, 0.5
"""For one target and for several, where looks are cheap."""
_PAUSE_AFTER_ERROR = 2.0
_PAUSE_PER_LOOK = 9.0
"""A pause is this many times as long as a look, where the portal is slow all the time.

Looks take 10% of the time then.
"""
_RECENT_LOOKS = 3
"""Looks that must all have been slow before the portal is called that.

Then it is their average that counts, because they differ in what they read.
"""
_MOST_UNEQUAL = 2.0
"""How much the average may exceed the quickest of them: a single slow look is no slow portal."""
_MOST_MORE = 5.0
"""Seconds that a pause may be longer than usual before so many looks were taken."""
LOST_SIGHT = 60.0
"""Seconds of refusals that prove nothing about a rollout: a portal may be upgraded meanwhile."""
_LAST_LOOK = 30.0
"""Seconds before the deadline in which a last good look may lie."""


@dataclass
class Sight:
    """What is seen of the rollouts: `seen_at` is None before the first good look.

    With `is_lost`, the last look failed.
    """

    seen_at: float | None = None
    is_lost: bool = False


def follow(
    watchers: Sequence[Watcher],
    deadline: Deadline,
    clock: Clock,
    *,
    to_the_end: bool = False,
    patience: float = LOST_SIGHT,
    sight: Sight | None = None,
) -> Mapping[Target, Verdict]:
    """Look until every target is ready or one cannot become so; return the last verdicts.

    With `to_the_end`, a target that cannot become ready does not end the wait for the others.
    `sight` is kept up to date.

    Keeps trying until the deadline while the portal is unreachable, and for `patience` seconds
    while it refuses. Where the look at the deadline fails, the last one counts unless it is too
    long ago. Raises the last `PipeError` otherwise.
    """
    loop = _Loop(watchers, deadline, clock, patience, sight or Sight())
    while True:
        started = clock.monotonic()
        verdicts: Mapping[Target, Verdict] = {}
        try:
            verdicts = loop.look()
        except (PlatformError, IdentityError) as error:
            if last := loop.verdicts_despite(error):
                return last
            pause = _PAUSE_AFTER_ERROR
        else:
            loop.progress.show(verdicts)
            if _is_over(verdicts, to_the_end=to_the_end):
                return verdicts
            pause = loop.usual_pause(len(verdicts))
        loop.progress.wait(loop.pause(clock.monotonic() - started, pause, verdicts))


class _Loop:
    """What is remembered from look to look."""

    def __init__(
        self,
        watchers: Sequence[Watcher],
        deadline: Deadline,
        clock: Clock,
        patience: float,
        sight: Sight,
    ) -> None:
        self.progress = ProgressLog(clock)
        self._watchers = watchers
        self._deadline = deadline
        self._clock = clock
        self._patience = patience
        self._sight = sight
        self._started = clock.monotonic()
        self._refused_since: float | None = None
        self._verdicts: Mapping[Target, Verdict] = {}
        self._took: deque[float] = deque(maxlen=_RECENT_LOOKS)

    def look(self) -> Mapping[Target, Verdict]:
        """Return the verdicts of one look; none of them is still waiting after the deadline."""
        self._verdicts = {
            target: verdict
            for watcher in self._watchers
            for target, verdict in watcher.look(self._deadline).items()
        }
        self._sight.seen_at, self._sight.is_lost = self._clock.monotonic(), False
        self._refused_since = None
        if self._deadline.passed():
            self._time_out()
        return self._verdicts

    def verdicts_despite(self, error: PipeError) -> Mapping[Target, Verdict] | None:
        """Return the verdicts if a failed look was the last, None to look again; raise `error`."""
        now, seen_at = self._clock.monotonic(), self._sight.seen_at
        self._sight.is_lost = True
        if _may_pass(error):
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        if self._deadline.passed():
            if seen_at is None or self._deadline.at - seen_at >= self._most_blind():
                raise error
            self._time_out()
            self.progress.show(self._verdicts)
            return self._verdicts
        if self._refused_since is not None and now - self._refused_since >= self._patience:
            raise error
        self.progress.failed_look(error)
        return None

    def pause(self, took: float, shortest: float, verdicts: Mapping[Target, Verdict]) -> float:
        """Return the seconds to wait after a look with these verdicts, none if it failed."""
        self._took.append(took)
        for_slow = _PAUSE_PER_LOOK * min(self._took)
        if for_slow > shortest:
            average = sum(self._took) / len(self._took)
            for_slow = min(_PAUSE_PER_LOOK * average, _MOST_UNEQUAL * for_slow)
        if len(self._took) < _RECENT_LOOKS:
            for_slow = min(for_slow, shortest + _MOST_MORE)
        left = self._deadline.left()
        # Slow looks must not use up the remaining time: it still has to allow several.
        pause = min(max(shortest - took, for_slow), max(shortest, left / 4))
        until = _ready_at(verdicts)
        if until is None:
            return min(pause, left)
        due = max(0.0, until - self._clock.monotonic())
        if _is_calm(verdicts):
            pause = max(pause, _calm_pause(due, shortest, took))
        return min(pause, left, due)

    def usual_pause(self, targets: int) -> float:
        """Return the seconds from look to look while looks are quick."""
        cheap = all(watcher.looks_are_cheap() for watcher in self._watchers)
        for_one, for_many = _PAUSES_IF_CHEAP if cheap else (_PAUSE_FOR_ONE, _PAUSE)
        return for_many if targets > 1 else for_one

    def _most_blind(self) -> float:
        """Return the seconds before the deadline after which the last look is too old to count."""
        return min(_LAST_LOOK, (self._deadline.at - self._started) / 2)

    def _time_out(self) -> None:
        seconds = self._deadline.at - self._started
        self._verdicts = {
            target: TimedOut.while_waiting(verdict, seconds)
            if isinstance(verdict, Waiting)
            else verdict
            for target, verdict in self._verdicts.items()
        }


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


def _calm_pause(due: float, usual: float, took: float) -> float:
    """Return the pause before one of the few looks that are left until the last one is due.

    About equal, because a look right before the last one would show nothing new, and a multiple of
    the usual pause, so that a verdict for which more looks are needed is as early as with them.
    """
    looks = math.ceil((due - usual / 2) / _PAUSE_WHILE_CALM)
    return due if looks <= 1 else usual * math.ceil(due / looks / usual) - took


def _is_calm(verdicts: Mapping[Target, Verdict]) -> bool:
    """Return whether few looks are enough until the last waiting target becomes ready."""
    return all(one.is_calm for one in verdicts.values() if isinstance(one, Waiting))
