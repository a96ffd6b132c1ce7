"""Following rollouts: what a look can conclude, and the one loop that looks."""

from pipe.rollout.verdict import Failed, Ready, Superseded, TimedOut, Verdict, Waiting

__all__ = ["Failed", "TimedOut", "Superseded", "Ready", "Verdict", "Waiting"]
