"""What the changed targets run now: the first question after a failed step."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipe.deploy.rollback import TargetRollback
from pipe.model import Change, Target
from pipe.rollout import Watcher

log = logging.getLogger(__name__)

MAX_LISTED = 3
"""Targets that the last line describes one by one; more make it unreadable."""


@dataclass
class CurrentState:
    """The latest look at each changed target.

    `watcher` has followed the rollout, None before that; `rollbacks` are those that ended.
    """

    watcher: Watcher | None = None
    rollbacks: Mapping[Target, TargetRollback] = field(default_factory=dict)

    def of(self, change: Change) -> str:
        """Return what a target runs, as the rest of a sentence about it."""
        if rollback := self.rollbacks.get(change.target):
            watcher = rollback.watcher
            return f"({rollback.message})" if watcher is None else watcher.state(change.target)
        if self.watcher is None:
            return f"was set to {change.image}"
        return self.watcher.state(change.target)

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
