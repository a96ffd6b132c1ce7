"""`ACTION: trust-policy`: the policy with which the role trusts this step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.aws.conftest import AwsHarness
from tests.sandbox.aws import ACCOUNT, ROLE
from tests.support.harness import Harness, RunResult


def printed(run_result: RunResult) -> Mapping[str, Any]:
    """Return the document on standard output, before the result line."""
    assert run_result.code == 0, run_result.text
    policy: Mapping[str, Any] = json.loads(run_result.stdout.rpartition("}")[0] + "}")
    return policy


@pytest.mark.parametrize("deployment", [True, False])
def test_the_printed_policy_trusts_the_step(aws: AwsHarness, deployment: bool) -> None:
    """A step that was refused succeeds with it."""
    step = aws.cloud.environ(deployment=deployment)
    aws.cloud.trust(aws.cloud.policy("{other}:*"))
    aws.harness.clock.advance(1)
    assert aws.deploy(**step).code == 3
    policy = printed(aws.harness.run_with({**step, "ACTION": "trust-policy"}))
    aws.cloud.trust(policy)
    assert aws.deploy(**step).code == 0


def test_the_statement_in_a_refusal_trusts_the_step(aws: AwsHarness) -> None:
    """It can be pasted into the policy unchanged."""
    aws.cloud.trust(aws.cloud.policy("{other}:*"))
    log = aws.refused(3).log
    lines = [line.partition("ERROR:   ")[2] for line in log.splitlines()]
    statement = json.loads("".join(lines))
    aws.cloud.trust({"Version": "2012-10-17", "Statement": [statement]})
    assert aws.deploy().code == 0


def test_the_policy_is_bound_to_the_environment(aws: AwsHarness) -> None:
    """Steps of another environment or of none are refused."""
    aws.cloud.trust(
        printed(aws.harness.run_with({**aws.cloud.environ(), "ACTION": "trust-policy"}))
    )
    aws.refused(3, **aws.cloud.environ(deployment=False))
    issuer = aws.cloud.issuer
    elsewhere = issuer.token(sub=f"{issuer.repository}:{{staging}}:{issuer.step}")
    aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=elsewhere)
    later = issuer.token(sub=f"{issuer.repository}:{issuer.environment}:{{another-step}}")
    assert aws.deploy(BITBUCKET_STEP_OIDC_TOKEN=later).code == 0


def test_the_policy_without_a_token_comes_from_the_variables(aws: AwsHarness) -> None:
    """It is the same policy; assumed values are reported."""
    step = {**aws.cloud.environ(), "ACTION": "trust-policy"}
    from_token = printed(aws.harness.run_with(step))
    run_result = aws.harness.run_with({**step, "BITBUCKET_STEP_OIDC_TOKEN": ""})
    assert printed(run_result) == from_token
    assert "Without an identity token (oidc: true) issuer and audience" in run_result.log


def test_placeholders_are_reported_with_their_variables(harness: Harness) -> None:
    """A run without any variables still prints a policy."""
    run_result = harness.run_with({"ACTION": "trust-policy"})
    statement = printed(run_result)["Statement"][0]
    assert "ACCOUNT-ID" in statement["Principal"]["Federated"]
    for warning in (
        "Replace ACCOUNT-ID: AWS_OIDC_ROLE_ARN is not set",
        "BITBUCKET_WORKSPACE is not set",
        "BITBUCKET_REPO_OWNER_UUID is not set",
        "BITBUCKET_REPO_UUID is not set",
        "Without a deployment environment",
    ):
        assert warning in run_result.log


def test_the_identity_provider_is_printed(aws: AwsHarness) -> None:
    """URL and audience, as IAM has them."""
    run_result = aws.harness.run_with({**aws.cloud.environ(), "ACTION": "trust-policy"})
    assert f"URL {aws.cloud.issuer.url}" in run_result.log
    assert f"audience: {aws.cloud.issuer.audience}" in run_result.log


def test_both_names_of_the_environment_claim_are_accepted(aws: AwsHarness) -> None:
    """Sources disagree on it; the subject decides."""
    issuer = aws.cloud.issuer
    policies = []
    for name in ("deploymentEnvironmentUuid", "deploymentEnvironment"):
        claims: dict[str, Any] = {
            "deploymentEnvironmentUuid": None,
            name: issuer.environment.strip("{}"),
        }
        token = issuer.token(**claims)
        environ = {**aws.cloud.environ(), "BITBUCKET_STEP_OIDC_TOKEN": token}
        policies.append(printed(aws.harness.run_with({**environ, "ACTION": "trust-policy"})))
    assert policies[0] == policies[1]
    condition = policies[0]["Statement"][0]["Condition"]["StringLike"]
    assert condition == {f"{issuer.provider}:sub": f"{issuer.repository}:{issuer.environment}:*"}


def test_several_audiences_are_all_accepted(aws: AwsHarness) -> None:
    """The policy lists those of the token; StringEquals matches any of them."""
    token = aws.cloud.issuer.token(aud=["a", "b"])
    environ = {"BITBUCKET_STEP_OIDC_TOKEN": token, "AWS_OIDC_ROLE_ARN": ROLE}
    statement = printed(aws.harness.run_with({**environ, "ACTION": "trust-policy"}))["Statement"][0]
    provider = aws.cloud.issuer.provider
    assert statement["Condition"]["StringEquals"] == {f"{provider}:aud": ["a", "b"]}
    federated = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"
    assert statement["Principal"] == {"Federated": federated}


def test_no_request_is_sent(aws: AwsHarness) -> None:
    """The policy needs neither AWS nor the portal."""
    aws.harness.run_with({**aws.cloud.environ(), "ACTION": "trust-policy"})
    assert aws.cloud.door.log == []
    assert aws.harness.world.log == []
