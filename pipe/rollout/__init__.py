"""Following rollouts: the verdicts, the interface of watchers, and the loop that looks."""

from pipe.rollout.verdict import Failed, Ready, Superseded, TimedOut, Verdict, Waiting, words
from pipe.rollout.watcher import Evidence, PodCounts, RolloutEvent, Watcher

__all__ = [
    "Evidence",
    "Failed",
    "PodCounts",
    "Ready",
    "RolloutEvent",
    "Superseded",
    "TimedOut",
    "Verdict",
    "Waiting",
    "Watcher",
    "words",
]
