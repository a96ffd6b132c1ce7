"""What the changed targets run now: the first question after a failed step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipe.deploy.rollback import Rollback
from pipe.model import Change
from pipe.rollout import Watcher
from pipe.rollout.loop import Sight

log = logging.getLogger(__name__)

MAX_LISTED = 3
"""Targets that the last line describes one by one; more make it unreadable."""


@dataclass
class CurrentState:
    """The latest look at each changed target.

    `watcher` has followed the rollout, None before that, and `sight` is what it sees; `rollback`
    is None until one begins.
    """

    watcher: Watcher | None = None
    sight: Sight = field(default_factory=Sight)
    rollback: Rollback | None = None

    def of(self, change: Change) -> str:
        """Return what a target runs, as the rest of a sentence about it."""
        target = change.target
        ended = self.rollback.ended.get(target) if self.rollback else None
        sent = self.rollback.sent.get(target) if self.rollback else None
        if ended and ended.watcher:
            return ended.watcher.state(target)
        if sent:
            progress = "was last set to" if ended else "is being rolled back to"
            return f"{progress} {sent.image} (not verified)"
        if ended:
            return f"({ended.message})"
        if self.watcher is None:
            return f"was set to {change.image}"
        if self.sight.seen_at is None:
            return f"was last set to {change.image}; what it runs could not be read since"
        seen = self.watcher.state(target)
        return f"{seen}, when it could last be read" if self.sight.is_lost else seen

    def describe(self, made: Sequence[Change]) -> str:
        """Return the sentence about the changes that were made; many go to the log instead."""
        if not made:
            return "Nothing was changed."
        states = [f"{change.target} {self.of(change)}" for change in made]
        if len(states) <= MAX_LISTED:
            return f"Now: {'; '.join(states)}."
        for state in states:
            log.info("Now: %s.", state)
        return "What each target runs now is listed above."
