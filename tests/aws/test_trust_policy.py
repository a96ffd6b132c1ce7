"""`ACTION: trust-policy`: what the role has to say to let this step in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.aws.conftest import AwsStage
from tests.sandbox.aws import ACCOUNT, ROLE
from tests.support.stage import RunResult, Stage


def printed(ending: RunResult) -> Mapping[str, Any]:
    """The document on standard output, before the result line."""
    assert ending.code == 0, ending.text
    return json.loads(ending.result.rpartition("}")[0] + "}")


@pytest.mark.parametrize("deployment", [True, False])
def test_the_printed_policy_lets_the_step_in(aws: AwsStage, deployment: bool) -> None:
    """Refused at first; with the printed policy the same step passes."""
    step = aws.cloud.environ(deployment=deployment)
    aws.cloud.trust(aws.cloud.policy("{nobody}:*"))
    aws.stage.clock.advance(1)
    assert aws.deploy(**step).code == 3
    policy = printed(aws.stage.run_with({**step, "ACTION": "trust-policy"}))
    aws.cloud.trust(policy)
    assert aws.deploy(**step).code == 0


def test_the_statement_of_a_refusal_lets_the_step_in(aws: AwsStage) -> None:
    """What the refusal prints can be put into the policy as it is."""
    aws.cloud.trust(aws.cloud.policy("{nobody}:*"))
    log = aws.refused(3).log
    lines = [line.partition("ERROR:   ")[2] for line in log.splitlines()]
    statement = json.loads("".join(lines))
    aws.cloud.trust({"Version": "2012-10-17", "Statement": [statement]})
    assert aws.deploy().code == 0


def test_the_policy_is_bound_to_the_environment(aws: AwsStage) -> None:
    """Another environment of the same repository, or none at all, stays outside."""
    aws.cloud.trust(printed(aws.stage.run_with({**aws.cloud.environ(), "ACTION": "trust-policy"})))
    aws.refused(3, **aws.cloud.environ(deployment=False))
    issuer = aws.cloud.issuer
    elsewhere = issuer.token(sub=f"{issuer.repository}:{{staging}}:{issuer.step}")
    aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=elsewhere)
    later = issuer.token(sub=f"{issuer.repository}:{issuer.environment}:{{another-step}}")
    assert aws.deploy(BITBUCKET_STEP_OIDC_TOKEN=later).code == 0


def test_without_a_token_the_same_comes_from_the_variables(aws: AwsStage) -> None:
    """Role and BITBUCKET_* tell it all; what could not be known is said."""
    step = {**aws.cloud.environ(), "ACTION": "trust-policy"}
    from_token = printed(aws.stage.run_with(step))
    ending = aws.stage.run_with({**step, "BITBUCKET_STEP_OIDC_TOKEN": ""})
    assert printed(ending) == from_token
    assert "There is no identity token (oidc: true) to read issuer and audience from" in ending.log


def test_a_bare_run_says_what_it_could_not_know(stage: Stage) -> None:
    """Stand-ins are named, each with the variable that would have told."""
    ending = stage.run_with({"ACTION": "trust-policy"})
    statement = printed(ending)["Statement"][0]
    assert "ACCOUNT-ID" in statement["Principal"]["Federated"]
    for told in (
        "ACCOUNT-ID stands for the account",
        "BITBUCKET_WORKSPACE would have told",
        "BITBUCKET_REPO_OWNER_UUID would have told",
        "BITBUCKET_REPO_UUID would have told",
        "no deployment environment",
    ):
        assert told in ending.log


def test_the_provider_is_told_too(aws: AwsStage) -> None:
    """URL and audience, as IAM asks for them."""
    ending = aws.stage.run_with({**aws.cloud.environ(), "ACTION": "trust-policy"})
    assert f"URL {aws.cloud.issuer.url}" in ending.log
    assert f"audience: {aws.cloud.issuer.audience}" in ending.log


def test_both_names_of_the_environment_claim_are_understood(aws: AwsStage) -> None:
    """Sources disagree on it; the subject decides in the end."""
    issuer = aws.cloud.issuer
    policies = []
    for name in ("deploymentEnvironmentUuid", "deploymentEnvironment"):
        claims = {"deploymentEnvironmentUuid": None, name: issuer.environment.strip("{}")}
        token = issuer.token(**claims)
        environ = {**aws.cloud.environ(), "BITBUCKET_STEP_OIDC_TOKEN": token}
        policies.append(printed(aws.stage.run_with({**environ, "ACTION": "trust-policy"})))
    assert policies[0] == policies[1]
    condition = policies[0]["Statement"][0]["Condition"]["StringLike"]
    assert condition == {f"{issuer.provider}:sub": f"{issuer.repository}:{issuer.environment}:*"}


def test_several_audiences_are_all_accepted(aws: AwsStage) -> None:
    """The policy lists those of the token; StringEquals takes any of them."""
    token = aws.cloud.issuer.token(aud=["a", "b"])
    environ = {"BITBUCKET_STEP_OIDC_TOKEN": token, "AWS_OIDC_ROLE_ARN": ROLE}
    statement = printed(aws.stage.run_with({**environ, "ACTION": "trust-policy"}))["Statement"][0]
    provider = aws.cloud.issuer.provider
    assert statement["Condition"]["StringEquals"] == {f"{provider}:aud": ["a", "b"]}
    federated = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"
    assert statement["Principal"] == {"Federated": federated}


def test_nothing_is_asked(aws: AwsStage) -> None:
    """Neither AWS nor the portal: it is all in the token."""
    aws.stage.run_with({**aws.cloud.environ(), "ACTION": "trust-policy"})
    assert aws.cloud.door.log == []
    assert aws.stage.world.log == []
