"""From the value of `ACTION` to the action."""

from __future__ import annotations

from typing import assert_never

from pipe import settings
from pipe.actions.base import Action, Run
from pipe.actions.check import CheckAction
from pipe.actions.deploy import DeployAction
from pipe.actions.trust_policy import TrustPolicyAction


def choose(run: Run) -> Action:
    """Return the action that the settings ask for."""
    match run.settings.action:
        case settings.Action.DEPLOY | settings.Action.ROLLBACK:
            return DeployAction(run)
        case settings.Action.CHECK:
            return CheckAction(run)
        case settings.Action.TRUST_POLICY:
            return TrustPolicyAction(run)
        case action:
            assert_never(action)
