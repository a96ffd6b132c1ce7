"""The role, assumed with the step's identity token."""

from __future__ import annotations

import re

import pytest

from tests.aws.conftest import AwsHarness
from tests.sandbox.aws import ACCOUNT


def test_the_role_is_assumed_before_the_first_portal_request(aws: AwsHarness) -> None:
    """The log names role and account, and the deploy continues."""
    result = aws.deploy()
    assert result.code == 0, result.text
    assert f"AWS role deploy/bitbucket-shop-87, account {ACCOUNT}" in result.log
    assert result.log.index("AWS role") < result.log.index("Tenant dev01")
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity"]


def test_the_session_name_identifies_the_build(aws: AwsHarness) -> None:
    """It has repository, build and run number in at most 64 valid characters."""
    aws.deploy(
        BITBUCKET_REPO_SLUG="shop (new) äöü-" + "x" * 70,
        BITBUCKET_STEP_RUN_NUMBER="2",
    )
    (request,) = aws.cloud.door.assumed
    name = request["RoleSessionName"]
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII)
    assert name.startswith("bitbucket-shop-new")
    assert name.endswith("-87-2")


def test_session_name_and_duration_can_be_set(aws: AwsHarness) -> None:
    """STS gets both variables."""
    aws.cloud.trust(aws.cloud.policy("*"), longest=7200)
    assert aws.deploy(AWS_ROLE_SESSION_NAME="me", AWS_ROLE_DURATION="7200").code == 0
    (request,) = aws.cloud.door.assumed
    assert (request["RoleSessionName"], request["DurationSeconds"]) == ("me", "7200")


def test_the_region_is_taken_from_an_ecr_image(aws: AwsHarness) -> None:
    """AWS_DEFAULT_REGION is optional then."""
    image = f"{aws.cloud.repository()}:1.4.2"
    aws.cloud.push("1.4.2")
    assert aws.deploy(image, AWS_DEFAULT_REGION="").code == 0


def test_a_role_takes_precedence_over_keys(aws: AwsHarness) -> None:
    """The log states that the keys are not used."""
    result = aws.deploy(AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="never-used-key")
    assert result.code == 0
    assert "AWS_ACCESS_KEY_ID is not used" in result.log
    assert "AWS role deploy/" in result.log


def test_temporary_failures_of_sts_are_retried(aws: AwsHarness) -> None:
    """Pauses grow, on the run's clock."""
    aws.cloud.fail("AssumeRoleWithWebIdentity", "ServiceUnavailable", status=503, times=2)
    aws.cloud.fail("AssumeRoleWithWebIdentity", "IDPCommunicationError", "not now")
    result = aws.deploy()
    assert result.code == 0, result.text
    assert aws.cloud.door.log.count("AssumeRoleWithWebIdentity") == 4
    assert aws.harness.clock.slept[:3] == [1.0, 2.0, 4.0]


def test_a_lasting_failure_of_sts_ends_within_a_minute(aws: AwsHarness) -> None:
    """The message states how long it failed."""
    aws.cloud.fail("AssumeRoleWithWebIdentity", "ServiceUnavailable", status=503, times=99)
    result = aws.refused(4)
    assert result.seconds <= 60
    assert "STS in eu-west-1 kept failing for a minute" in result.stdout


def test_a_refusal_is_not_retried(aws: AwsHarness) -> None:
    """One call, no pause."""
    aws.cloud.trust(aws.cloud.policy("{other}:*"))
    aws.refused(3)
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity"]
    assert aws.harness.clock.slept == []


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"AWS_OIDC_ROLE_ARN": "deploy"}, "AWS_OIDC_ROLE_ARN is not the ARN of a role"),
        ({"AWS_DEFAULT_REGION": "Ireland"}, "AWS_DEFAULT_REGION is not an AWS region"),
        ({"AWS_DEFAULT_REGION": ""}, "AWS_DEFAULT_REGION is missing"),
        ({"AWS_ROLE_DURATION": "60"}, "AWS_ROLE_DURATION must be a whole number of seconds"),
        ({"AWS_ROLE_SESSION_NAME": "a b"}, "AWS_ROLE_SESSION_NAME must be 2 to 64"),
        ({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}, "AWS_SECRET_ACCESS_KEY is missing"),
        ({"AWS_SESSION_TOKEN": "loose-token"}, "AWS_ACCESS_KEY_ID is missing"),
        ({"DUPLO_TOKEN_SECRET": "x"}, "DUPLO_TOKEN_SECRET and DUPLO_TOKEN are both set"),
        ({"MAX_SEVERITY": "BAD"}, "MAX_SEVERITY must be one of NONE, LOW, MEDIUM, HIGH"),
        ({"VERIFY_IMAGE": "maybe"}, "VERIFY_IMAGE must be one of auto, true, false"),
        (
            {"VERIFY_IMAGE": "false", "PIN_DIGEST": "true"},
            "VERIFY_IMAGE is 'false', but PIN_DIGEST",
        ),
        ({"REGISTRY_USERNAME": "me"}, "REGISTRY_PASSWORD is missing"),
    ],
)
def test_invalid_variables_are_refused(
    aws: AwsHarness, environ: dict[str, str], message: str
) -> None:
    """Exit 2, and AWS gets no request."""
    result = aws.refused(2, **environ)
    assert message in result.log
    assert aws.cloud.door.log == []


def test_a_token_secret_needs_an_aws_identity(aws: AwsHarness) -> None:
    """Exit 2 without role and keys."""
    result = aws.refused(2, AWS_OIDC_ROLE_ARN="", DUPLO_TOKEN="", DUPLO_TOKEN_SECRET="x")
    assert "AWS_OIDC_ROLE_ARN is missing" in result.log
