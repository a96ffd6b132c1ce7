"""The trust policy that lets a role be assumed by this step and by its like, as data.

The step's id is part of the subject, so a policy has to leave the subject's end open
(`StringLike`); the audience is exact. AWS looks at no other claim of this provider.
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
    """Everything that goes into the policy; `unknown` holds sentences about what was missing.

    `provider` is the issuer without https://. `bound_to` says for people whom it lets in.
    """

    partition: str
    account: str
    provider: str
    audiences: tuple[str, ...]
    subject: str
    bound_to: str
    unknown: tuple[str, ...] = ()

    def policy(self) -> Mapping[str, Any]:
        """The whole document, as IAM takes it."""
        return {"Version": "2012-10-17", "Statement": [self.statement()]}

    def statement(self) -> Mapping[str, Any]:
        """The one statement that matters."""
        accepted: str | list[str] = list(self.audiences)
        if len(self.audiences) == 1:
            accepted = self.audiences[0]
        return {
            "Effect": "Allow",
            "Principal": {"Federated": self.provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{self.provider}:aud": accepted},
                "StringLike": {f"{self.provider}:sub": self.subject},
            },
        }

    @property
    def provider_arn(self) -> str:
        """The identity provider in IAM."""
        return f"arn:{self.partition}:iam::{self.account}:oidc-provider/{self.provider}"


def from_claims(claims: Claims, role_arn: str) -> Trust:
    """The policy for the step that holds these claims."""
    partition, account, unknown = _role_parts(role_arn)
    in_subject = [claims.repository]
    if claims.environment and claims.subject.split(":")[1] == claims.environment:
        in_subject.append(claims.environment)
    return Trust(
        partition,
        account,
        claims.provider,
        claims.audiences,
        ":".join([*in_subject, "*"]),
        _bound_to(claims.repository, in_subject[1] if len(in_subject) > 1 else ""),
        tuple(unknown),
    )


def from_step(step: Step, role_arn: str) -> Trust:
    """The same without a token: from the role's ARN and what Bitbucket says of the step."""
    partition, account, unknown = _role_parts(role_arn)

    def known(value: str, stand_in: str, variable: str) -> str:
        if not value:
            unknown.append(f"{stand_in} stands for a value that {variable} would have told.")
        return value or stand_in

    workspace = known(step.workspace, "WORKSPACE", "BITBUCKET_WORKSPACE")
    workspace_id = known(step.workspace_id, "WORKSPACE-UUID", "BITBUCKET_REPO_OWNER_UUID")
    repository = known(step.repository_id, "{REPOSITORY-UUID}", "BITBUCKET_REPO_UUID")
    unknown.append(
        "There is no identity token (oidc: true) to read issuer and audience from: they are "
        "Bitbucket's usual ones; compare with Repository settings > OpenID Connect."
    )
    if not step.deployment_id:
        unknown.append(
            "There is no deployment environment, so every step of the repository is let in."
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
    """A document as lines to copy."""
    return json.dumps(document, indent=2).splitlines()


def _role_parts(role_arn: str) -> tuple[str, str, list[str]]:
    if not role_arn:
        return "aws", "ACCOUNT-ID", ["ACCOUNT-ID stands for the account; give AWS_OIDC_ROLE_ARN."]
    parts = role_arn.split(":")
    return parts[1], parts[4], []


def _bound_to(repository: str, environment: str) -> str:
    if environment:
        return f"steps of the repository {repository} that deploy to the environment {environment}"
    return f"every step of the repository {repository}, on any branch"
