"""`ACTION: trust-policy`: print the IAM policy that lets this step assume a role."""

from __future__ import annotations

import logging

from pipe import output
from pipe.actions.base import BaseAction
from pipe.identity import claims, trust

log = logging.getLogger(__name__)


class TrustPolicyAction(BaseAction):
    """See `BaseAction`."""

    def execute(self) -> str:
        """See `BaseAction`; the policy goes to standard output."""
        aws, step = self._run.settings.aws, self._run.settings.step
        if aws.web_identity:
            needed = trust.from_claims(claims.read(aws.web_identity), aws.role_arn)
        else:
            needed = trust.from_step(step, aws.role_arn)
        log.info("Identity provider in IAM: URL https://%s", needed.provider)
        log.info("Its audience: %s", ", ".join(needed.audiences))
        log.info("The policy admits %s.", needed.bound_to)
        for missing in needed.unknown:
            log.warning("%s", missing)
        output.document(self._run.mask, trust.text(needed.policy()))
        return "This is the trust policy for the role. Nothing was changed."
