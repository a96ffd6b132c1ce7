"""The trust policy with which a role trusts this step and those of its environment.

The step's id is part of the subject, so the policy matches the subject's beginning (`StringLike`)
and the exact audience. AWS evaluates no other claim of this provider.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipe.identity.claims import Claims
from pipe.settings import Step

_PROVIDER = "api.bitbucket.org/2.0/workspaces/{workspace}/pipelines-config/identity/oidc"
_AUDIENCE = "ari:cloud:bitbucket::workspace/{id}"


@dataclass(frozen=True)
class Trust:
    """The contents of a trust policy.

    `provider` is the issuer without https://. `bound_to` describes the steps that may assume the
    role. `unknown` holds a sentence for each value that had to be assumed.
    """

    partition: str
    account: str
    provider: str
    audiences: tuple[str, ...]
    subject: str
    bound_to: str
    unknown: tuple[str, ...] = ()

    def policy(self) -> Mapping[str, Any]:
        """Return the complete document for IAM."""
        return {"Version": "2012-10-17", "Statement": [self.statement()]}

    def statement(self) -> Mapping[str, Any]:
        """Return the policy's statement."""
        audience: str | list[str] = list(self.audiences)
        if len(self.audiences) == 1:
            audience = self.audiences[0]
        return {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{self.provider}:aud": audience},
                "StringLike": {f"{self.provider}:sub": self.subject},
            },
        }

    @property
    def provider_arn(self) -> str:
        """The ARN of the identity provider in IAM."""
        return f"arn:{self.partition}:iam::{self.account}:oidc-provider/{self.provider}"


def from_claims(claims: Claims, role_arn: str) -> Trust:
    """Return the policy for the step with these claims."""
    partition, account, unknown = _role_parts(role_arn)
    environment = ""
    if claims.environment and claims.subject.split(":")[1] == claims.environment:
        environment = claims.environment
    return Trust(
        partition,
        account,
        claims.provider,
        claims.audiences,
        ":".join(filter(None, [claims.repository, environment, "*"])),
        _bound_to(claims.repository, environment),
        tuple(unknown),
    )


def from_step(step: Step, role_arn: str) -> Trust:
    """Return the policy without a token, from the role's ARN and Bitbucket's variables."""
    partition, account, unknown = _role_parts(role_arn)

    def known(value: str, placeholder: str, variable: str) -> str:
        if not value:
            unknown.append(f"Replace {placeholder}: {variable} is not set.")
        return value or placeholder

    workspace = known(step.workspace, "WORKSPACE", "BITBUCKET_WORKSPACE")
    workspace_id = known(step.workspace_id, "WORKSPACE-UUID", "BITBUCKET_REPO_OWNER_UUID")
    repository = known(step.repository_id, "{REPOSITORY-UUID}", "BITBUCKET_REPO_UUID")
    unknown.append(
        "Without an identity token (oidc: true) issuer and audience are Bitbucket's usual ones; "
        "compare them with Repository settings > OpenID Connect."
    )
    if not step.deployment_id:
        unknown.append(
            "Without a deployment environment every step of the repository may assume the role."
        )
    return Trust(
        partition,
        account,
        _PROVIDER.format(workspace=workspace),
        (_AUDIENCE.format(id=workspace_id.strip("{}")),),
        ":".join(filter(None, [repository, step.deployment_id, "*"])),
        _bound_to(repository, step.deployment_id),
        tuple(unknown),
    )


def text(document: Mapping[str, Any]) -> Sequence[str]:
    """Return a document as lines to copy."""
    return json.dumps(document, indent=2).splitlines()


def _role_parts(role_arn: str) -> tuple[str, str, list[str]]:
    if not role_arn:
        return "aws", "ACCOUNT-ID", ["Replace ACCOUNT-ID: AWS_OIDC_ROLE_ARN is not set."]
    parts = role_arn.split(":")
    return parts[1], parts[4], []


def _bound_to(repository: str, environment: str) -> str:
    if environment:
        return f"steps of the repository {repository} that deploy to the environment {environment}"
    return f"every step of the repository {repository}, on any branch"
