"""From the value of `ACTION` to the action."""

from __future__ import annotations

from typing import assert_never

from pipe.actions.base import BaseAction, Run
from pipe.actions.check import CheckAction
from pipe.actions.deploy import DeployAction
from pipe.actions.run import RunAction
from pipe.actions.trust_policy import TrustPolicyAction
from pipe.settings import Action


def choose(run: Run) -> BaseAction:
    """Return the action that the settings name."""
    match run.settings.action:
        case Action.DEPLOY | Action.ROLLBACK:
            return DeployAction(run)
        case Action.CHECK:
            return CheckAction(run)
        case Action.RUN:
            return RunAction(run)
        case Action.TRUST_POLICY:
            return TrustPolicyAction(run)
        case action:
            assert_never(action)
