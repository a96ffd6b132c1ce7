"""Every way in which AWS refuses a step, each explained, none of them changing anything."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from pipe.identity.claims import LEEWAY
from tests.aws.conftest import AwsStage
from tests.sandbox.aws import ACCOUNT, ROLE

CALL = "AssumeRoleWithWebIdentity"


def test_no_token(aws: AwsStage) -> None:
    """Row 1: the step lacks oidc: true; AWS is not asked."""
    ending = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN="")
    assert "BITBUCKET_STEP_OIDC_TOKEN is empty" in ending.result
    assert "oidc: true" in ending.log
    assert aws.cloud.door.log == []


def test_no_provider(aws: AwsStage) -> None:
    """Row 2: the account does not know the issuer; both are named, and what to enter in IAM."""
    aws.cloud.door.iam.providers.clear()
    ending = aws.refused(3)
    issuer = aws.cloud.issuer
    assert f"The AWS account {ACCOUNT} has no identity provider for {issuer.url}" in ending.result
    assert f"URL {issuer.url}" in ending.log
    assert f"audience {issuer.audience}" in ending.log


def test_wrong_audience(aws: AwsStage) -> None:
    """Row 3: the provider lacks the token's audience, which is told."""
    token = aws.cloud.issuer.token(aud=["https://elsewhere.example"])
    ending = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert "does not know the audience" in ending.result
    assert "the token says https://elsewhere.example" in ending.result
    assert "Add the audience https://elsewhere.example" in ending.log


@pytest.mark.parametrize(
    ("subject", "operator"),
    [
        ("{other-repository}:*", "StringLike"),
        ("{repository}:{staging}:*", "StringLike"),
        ("{repository}:*", "StringEquals"),
        ("repository-without-braces:*", "StringLike"),
    ],
)
def test_not_trusted(aws: AwsStage, subject: str, operator: str) -> None:
    """Row 4: the trust policy does not match; expected and actual are told, and what to write."""
    issuer = aws.cloud.issuer
    pattern = subject.replace("{repository}", issuer.repository)
    aws.cloud.trust(aws.cloud.policy(pattern, operator))
    ending = aws.refused(3)
    assert f"The role {ROLE} does not trust this step" in ending.result
    assert f"sub {issuer.repository}:{issuer.environment}:{issuer.step}" in ending.result
    assert f"aud {issuer.audience}" in ending.result
    wanted = f'"{issuer.provider}:sub": "{issuer.repository}:{issuer.environment}:*"'
    assert wanted in ending.log


def test_no_such_role(aws: AwsStage) -> None:
    """Row 4 again: AWS says the same for a role that is not there, and so the name is told."""
    role = f"arn:aws:iam::{ACCOUNT}:role/deplyo"
    ending = aws.refused(3, AWS_OIDC_ROLE_ARN=role)
    assert f"The role {role} does not trust this step, or does not exist" in ending.result


def test_expired_token(aws: AwsStage) -> None:
    """Row 5, before the call: an expired token costs no round trip."""
    token = aws.cloud.issuer.token()
    aws.stage.clock.advance(3600 + LEEWAY.total_seconds() + 1)
    ending = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert "expired at 2026-02-03 11:00:00 UTC, 1 min ago" in ending.result
    assert "a step of its own" in ending.log
    assert aws.cloud.door.log == []


def test_expired_token_says_sts(aws: AwsStage) -> None:
    """Row 5, from STS: within the leeway it is STS's clock that counts."""
    token = aws.cloud.issuer.token()
    aws.stage.clock.advance(3600 + LEEWAY.total_seconds() / 2)
    ending = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert "expired at 2026-02-03 11:00:00 UTC" in ending.result
    assert aws.cloud.door.log == [CALL]


def test_expired_credentials(aws: AwsStage) -> None:
    """Row 6: the role's credentials ran out before a later call."""
    aws.cloud.fail("DescribeImages", "ExpiredTokenException", "The security token has expired")
    ending = aws.refused(3, f"{aws.cloud.repository()}:1.4.2")
    assert "The role's credentials ran out before asking ECR" in ending.result
    assert "AWS_ROLE_DURATION" in ending.log


def test_issuer_out_of_reach(aws: AwsStage) -> None:
    """Row 7: AWS cannot reach the issuer; tried for a minute, then told."""
    aws.cloud.fail(CALL, "IDPCommunicationError", "could not reach the provider", times=99)
    ending = aws.refused(3)
    assert f"AWS could not reach Bitbucket's issuer {aws.cloud.issuer.url}" in ending.result
    assert "/.well-known/openid-configuration" in ending.log
    assert aws.cloud.door.log.count(CALL) > 3


def test_rejected_claim(aws: AwsStage) -> None:
    """Row 8: the provider rejected the claim; only a new run helps."""
    aws.cloud.fail(CALL, "IDPRejectedClaim", "The claim was revoked", status=403)
    ending = aws.refused(3)
    assert 'rejected the step\'s identity token: AWS says "The claim was revoked"' in ending.result
    assert "a new run gets a new token" in ending.log


def test_disabled_region(aws: AwsStage) -> None:
    """Row 9: STS is off in the region."""
    aws.cloud.fail(CALL, "RegionDisabledException", "STS is not activated", status=403)
    ending = aws.refused(3)
    assert "STS is not enabled in the region eu-west-1" in ending.result
    assert "Give another region as AWS_DEFAULT_REGION" in ending.log


def test_too_long_a_duration(aws: AwsStage) -> None:
    """Row 10: the role allows less; AWS's own words are repeated."""
    ending = aws.refused(3, AWS_ROLE_DURATION="7200")
    assert "AWS_ROLE_DURATION (7200 s) is more than the role" in ending.result
    assert "exceeds the MaxSessionDuration" in ending.result
    assert "Lower AWS_ROLE_DURATION" in ending.log


def test_unverifiable_signature(aws: AwsStage) -> None:
    """Row 11: AWS cannot verify the token, here because another key signed it."""
    ending = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=aws.cloud.issuer.token(key="somebody-else"))
    assert "AWS cannot verify the step's identity token" in ending.result
    assert "Couldn't retrieve verification key" in ending.result
    assert "delete the identity provider in IAM and create it anew" in ending.log


def test_anything_else(aws: AwsStage) -> None:
    """An error that nobody foresaw is told in AWS's words."""
    aws.cloud.fail(CALL, "PackedPolicyTooLarge", "too large")
    ending = aws.refused(3)
    assert 'PackedPolicyTooLarge, "too large"' in ending.result


def test_each_row_has_a_message_of_its_own(aws: AwsStage) -> None:
    """No two refusals read alike."""
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
        results.add(re.sub(r"[^a-z ]", "", aws.refused(3).result.lower()))
    assert len(results) == len(rows)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("no-token-at-all", "it has 1 parts, expected three between dots"),
        ("aaaa.bbbb.cccc", "its middle part is no JSON in base64"),
        ("aaaa.WzFd.cccc", "its middle part is no JSON object"),
    ],
)
def test_no_token_of_anybody(aws: AwsStage, token: str, why: str) -> None:
    """A variable that holds something else costs no round trip."""
    ending = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert why in ending.result
    assert token not in ending.text
    assert aws.cloud.door.log == []


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"sub": None}, 'it has no claim "sub"'),
        ({"sub": "somebody"}, 'its subject is "somebody"'),
        ({"iss": "http://api.bitbucket.org"}, "expected an address with https://"),
        ({"aud": None}, "it names no audience"),
        ({"aud": []}, "it names no audience"),
        ({"exp": None}, "it does not say when it expires"),
    ],
)
def test_claims_that_nobody_could_accept(aws: AwsStage, claims: dict[str, str], why: str) -> None:
    """They are refused before the call."""
    ending = aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=aws.cloud.issuer.token(**claims))
    assert why in ending.result
    assert aws.cloud.door.log == []


def test_an_audience_may_be_a_text_or_a_list(aws: AwsStage) -> None:
    """Both are in use since audiences can be chosen."""
    issuer = aws.cloud.issuer
    for audience in (
        issuer.audience,
        [issuer.audience],
        ["https://other.example", issuer.audience],
    ):
        assert aws.deploy(BITBUCKET_STEP_OIDC_TOKEN=issuer.token(aud=audience)).code == 0


def test_a_clock_that_is_a_little_ahead_is_forgiven(aws: AwsStage) -> None:
    """A token that expires this minute is still shown to STS."""
    expires = aws.stage.clock.now() - timedelta(seconds=5)
    token = aws.cloud.issuer.token(exp=int(expires.timestamp()))
    aws.refused(3, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert aws.cloud.door.log == [CALL]
