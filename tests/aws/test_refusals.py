"""Errors of AWS for the identity of a step, each explained; nothing is changed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from pipe.errors import Refused
from pipe.http import Network
from pipe.identity import sts
from pipe.identity.aws import AwsClient
from pipe.identity.claims import LEEWAY
from pipe.secret import Mask, Secret
from pipe.settings import AwsSettings, Proxies
from tests.aws.conftest import AwsHarness
from tests.sandbox.aws import ACCOUNT, ROLE
from tests.support.fake_clock import FakeClock

CALL = "AssumeRoleWithWebIdentity"


def test_a_step_without_an_identity_token_is_refused(aws: AwsHarness) -> None:
    """Row 1: the step lacks oidc: true; AWS gets no request."""
    result = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN="")
    assert "BITBUCKET_STEP_OIDC_TOKEN is empty" in result.stdout
    assert "oidc: true" in result.log
    assert aws.cloud.door.log == []


def test_an_account_without_the_identity_provider_is_explained(aws: AwsHarness) -> None:
    """Row 2: issuer and account are named, and what to enter in IAM."""
    aws.cloud.door.iam.providers.clear()
    result = aws.refused(3)
    issuer = aws.cloud.issuer
    assert f"The AWS account {ACCOUNT} has no identity provider for {issuer.url}" in result.stdout
    assert f"URL {issuer.url}" in result.log
    assert f"audience {issuer.audience}" in result.log


def test_an_unknown_audience_is_explained(aws: AwsHarness) -> None:
    """Row 3: the provider lacks the token's audience, which is named."""
    token = aws.cloud.issuer.token(aud=["https://elsewhere.example"])
    result = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert "does not know the audience" in result.stdout
    assert "identity token, https://elsewhere.example" in result.stdout
    assert "Add the audience https://elsewhere.example" in result.log


@pytest.mark.parametrize(
    ("subject", "operator"),
    [
        ("{other-repository}:*", "StringLike"),
        ("{repository}:{staging}:*", "StringLike"),
        ("{repository}:*", "StringEquals"),
        ("repository-without-braces:*", "StringLike"),
    ],
)
def test_a_trust_policy_that_does_not_match_is_explained(
    aws: AwsHarness, subject: str, operator: str
) -> None:
    """Row 4: the token's claims are shown, with the statement that accepts them."""
    issuer = aws.cloud.issuer
    pattern = subject.replace("{repository}", issuer.repository)
    aws.cloud.trust(aws.cloud.policy(pattern, operator))
    result = aws.refused(3)
    assert f"The role {ROLE} does not trust this step" in result.stdout
    assert f"sub {issuer.repository}:{issuer.environment}:{issuer.step}" in result.stdout
    assert f"aud {issuer.audience}" in result.stdout
    expected = f'"{issuer.provider}:sub": "{issuer.repository}:{issuer.environment}:*"'
    assert expected in result.log


def test_a_missing_role_is_explained(aws: AwsHarness) -> None:
    """Row 4: AWS returns the same error for a missing role, so its name is shown."""
    role = f"arn:aws:iam::{ACCOUNT}:role/deplyo"
    result = aws.refused(3, AWS_OIDC_ROLE_ARN=role)
    assert f"The role {role} does not trust this step, or does not exist" in result.stdout


def test_an_expired_token_is_refused_without_a_call(aws: AwsHarness) -> None:
    """Row 5, before the call."""
    token = aws.cloud.issuer.token()
    aws.harness.clock.advance(3600 + LEEWAY.total_seconds() + 1)
    result = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert "expired at 2026-02-03 11:00:00 UTC, 1 min ago" in result.stdout
    assert "Deploy in a separate step" in result.log
    assert aws.cloud.door.log == []


def test_a_token_that_sts_finds_expired_is_refused(aws: AwsHarness) -> None:
    """Row 5, from STS: within the leeway the clock of STS decides."""
    token = aws.cloud.issuer.token()
    aws.harness.clock.advance(3600 + LEEWAY.total_seconds() / 2)
    result = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert "expired at 2026-02-03 11:00:00 UTC" in result.stdout
    assert aws.cloud.door.log == [CALL]


def test_expired_role_credentials_are_explained(aws: AwsHarness) -> None:
    """Row 6: the role's credentials expired before a later call."""
    aws.cloud.fail("DescribeImages", "ExpiredTokenException", "The security token has expired")
    result = aws.refused(3, f"{aws.cloud.repository()}:1.4.2")
    assert "The role's credentials expired before looking up" in result.stdout
    assert "AWS_ROLE_DURATION" in result.log


def test_an_issuer_that_aws_cannot_reach_is_explained(aws: AwsHarness) -> None:
    """Row 7: the call is retried for a minute."""
    aws.cloud.fail(CALL, "IDPCommunicationError", "could not reach the provider", times=99)
    result = aws.refused(3)
    assert f"AWS could not reach Bitbucket's issuer {aws.cloud.issuer.url}" in result.stdout
    assert "/.well-known/openid-configuration" in result.log
    assert aws.cloud.door.log.count(CALL) > 3


def test_a_rejected_claim_is_explained(aws: AwsHarness) -> None:
    """Row 8: only a new run helps."""
    aws.cloud.fail(CALL, "IDPRejectedClaim", "The claim was revoked", status=403)
    result = aws.refused(3)
    assert (
        'rejected the step\'s identity token: AWS returned "The claim was revoked"' in result.stdout
    )
    assert "each run gets a new token" in result.log


def test_a_disabled_region_is_explained(aws: AwsHarness) -> None:
    """Row 9: STS is off in the region."""
    aws.cloud.fail(CALL, "RegionDisabledException", "STS is not activated", status=403)
    result = aws.refused(3)
    assert "STS is not enabled in the region eu-west-1" in result.stdout
    assert "Give another region as AWS_DEFAULT_REGION" in result.log


def test_a_duration_above_the_maximum_is_explained(aws: AwsHarness) -> None:
    """Row 10: the role allows less; AWS's message is quoted."""
    result = aws.refused(3, AWS_ROLE_DURATION="7200")
    assert "AWS_ROLE_DURATION (7200 s) is more than the role" in result.stdout
    assert "exceeds the MaxSessionDuration" in result.stdout
    assert "Lower AWS_ROLE_DURATION" in result.log


def test_an_unverifiable_signature_is_explained(aws: AwsHarness) -> None:
    """Row 11: another key signed the token."""
    result = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=aws.cloud.issuer.token(key="another-key"))
    assert "AWS cannot verify the step's identity token" in result.stdout
    assert "Couldn't retrieve verification key" in result.stdout
    assert "delete the identity provider in IAM and create it again" in result.log


def test_an_unknown_error_is_quoted(aws: AwsHarness) -> None:
    """The message has AWS's code and text."""
    aws.cloud.fail(CALL, "PackedPolicyTooLarge", "too large")
    result = aws.refused(3)
    assert 'PackedPolicyTooLarge, "too large"' in result.stdout


def test_each_error_has_its_own_message(aws: AwsHarness) -> None:
    """No two of them are alike."""
    rows = [
        ("InvalidIdentityToken", "No OpenIDConnect provider found in your account for x"),
        ("InvalidIdentityToken", "Incorrect token audience"),
        ("InvalidIdentityToken", "Couldn't retrieve verification key"),
        ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        ("ExpiredTokenException", "Token expired"),
        ("IDPCommunicationError", "x"),
        ("IDPRejectedClaim", "x"),
        ("RegionDisabledException", "x"),
        ("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration"),
    ]
    results = set()
    for code, message in rows:
        aws.cloud.door.faults.clear()
        aws.cloud.fail(CALL, code, message, times=99)
        results.add(re.sub(r"[^a-z ]", "", aws.refused(3).stdout.lower()))
    assert len(results) == len(rows)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("no-token-at-all", "it has 1 parts, expected three between dots"),
        ("aaaa.bbbb.cccc", "its payload is not JSON in base64"),
        ("aaaa.WzFd.cccc", "its payload is not a JSON object"),
    ],
)
def test_a_malformed_token_is_refused_without_a_call(
    aws: AwsHarness, token: str, reason: str
) -> None:
    """The message names the malformed part and does not show the token."""
    result = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert reason in result.stdout
    assert token not in result.text
    assert aws.cloud.door.log == []


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"sub": None}, 'it has no claim "sub"'),
        ({"sub": "user"}, 'its subject is "user"'),
        ({"iss": "http://api.bitbucket.org"}, "expected an address with https://"),
        ({"iss": "https://[::bad"}, "expected an address with https://"),
        ({"aud": None}, 'its claim "aud" is missing'),
        ({"aud": []}, 'its claim "aud" is missing'),
        ({"exp": None}, 'its claim "exp" is missing'),
    ],
)
def test_invalid_claims_are_refused_without_a_call(
    aws: AwsHarness, claims: dict[str, Any], reason: str
) -> None:
    """The message names the claim."""
    result = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=aws.cloud.issuer.token(**claims))
    assert reason in result.stdout
    assert aws.cloud.door.log == []


def test_an_audience_may_be_a_text_or_a_list(aws: AwsHarness) -> None:
    """Bitbucket sends both since audiences can be configured."""
    issuer = aws.cloud.issuer
    for audience in (
        issuer.audience,
        [issuer.audience],
        ["https://other.example", issuer.audience],
    ):
        assert aws.deploy(BITBUCKET_STEP_OIDC_TOKEN=issuer.token(aud=audience)).code == 0


def test_a_token_that_has_just_expired_is_still_sent(aws: AwsHarness) -> None:
    """This machine's clock may be ahead of that of STS."""
    expires = aws.harness.clock.now() - timedelta(seconds=5)
    token = aws.cloud.issuer.token(exp=int(expires.timestamp()))
    aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert aws.cloud.door.log == [CALL]


@pytest.mark.parametrize("answer", [{}, {"Account": ACCOUNT}])
def test_an_answer_without_the_owner_of_the_keys_is_not_from_aws(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, str]
) -> None:
    """A server in place of AWS is reported, and is no defect of the pipe."""
    monkeypatch.setattr(AwsClient, "call", lambda *_: answer)
    aws = AwsClient(Network(Proxies(), "", FakeClock()), Mask(), "eu-west-1")
    with pytest.raises(Refused, match="did not return the owner of the keys"):
        sts.whoami(aws, AwsSettings("", "eu-west-1", "", 3600, None, Secret("")))
