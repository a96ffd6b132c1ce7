"""Following rollouts: what a look can conclude, and the one loop that looks."""

from pipe.rollout.verdict import Doomed, Late, Overtaken, Ready, Verdict, Waiting

__all__ = ["Doomed", "Late", "Overtaken", "Ready", "Verdict", "Waiting"]
