"""Deploy tests with AWS: temporary credentials, and logins to pull images."""

from __future__ import annotations

import pytest

from tests.aws.conftest import AwsHarness
from tests.deploy_tests.commands import FakeRunner
from tests.sandbox.aws import REGION


def test_deploy_tests_get_the_roles_credentials(aws: AwsHarness) -> None:
    """Temporary credentials and region are set, the tokens they came from are not."""
    result = aws.deploy(
        VERIFY_IMAGE="false",
        POST_DEPLOY_TEST='test "$AWS_ACCESS_KEY_ID" && test "$AWS_SECRET_ACCESS_KEY" && '
        f'test "$AWS_SESSION_TOKEN" && test "$AWS_REGION" = {REGION} && '
        'test -z "$BITBUCKET_STEP_OIDC_TOKEN" && test -z "$DUPLO_TOKEN"',
    )
    assert result.code == 0, result.text


def test_the_roles_credentials_are_masked_in_test_output(aws: AwsHarness) -> None:
    """A test may print its environment."""
    result = aws.deploy(VERIFY_IMAGE="false", PRE_DEPLOY_TEST="printenv")
    assert result.code == 0, result.text
    assert "AWS_SESSION_TOKEN=***" in result.log
    for secret in aws.cloud.door.given:
        assert secret not in result.text


def test_without_a_role_tests_get_no_keys(aws: AwsHarness) -> None:
    """Keys in the variables are for the pipe only."""
    result = aws.harness.deploy(
        VERIFY_IMAGE="false",
        AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
        AWS_SECRET_ACCESS_KEY="login-to-the-pipe-alone",
        AWS_DEFAULT_REGION=REGION,
        PRE_DEPLOY_TEST='test -z "$AWS_ACCESS_KEY_ID$AWS_SECRET_ACCESS_KEY"',
    )
    assert result.code == 0, result.text


@pytest.mark.parametrize("elsewhere", ["python:3.13", "registry.example/tool:1"])
def test_an_image_in_ecr_is_pulled_with_ecrs_password(aws: AwsHarness, elsewhere: str) -> None:
    """Docker gets the role's login for ECR, and none for other registries."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    runner = aws.harness.dependencies["runner"] = FakeRunner()
    result = aws.deploy(
        f"{name}:1.4.2",
        PRE_DEPLOY_TEST="self-test",
        PRE_DEPLOY_TEST_IMAGE=f"{name}:1.4.2",
        POST_DEPLOY_TEST="smoke-test",
        POST_DEPLOY_TEST_IMAGE=elsewhere,
    )
    assert result.code == 0, result.text
    logins = {str(command.image): command.login for command in runner.commands}
    login = logins[f"{name}:1.4.2"]
    assert login is not None
    assert login["username"] == "AWS"
    assert login["password"]
    assert login["password"] not in result.text
    assert logins[elsewhere] is None


def test_the_registry_password_is_sent_to_its_registry_only(aws: AwsHarness) -> None:
    """REGISTRY_PASSWORD belongs to the registry of the deployed image."""
    runner = aws.harness.dependencies["runner"] = FakeRunner()
    result = aws.harness.deploy(
        "registry.example/team/web:2",
        VERIFY_IMAGE="false",
        REGISTRY_USERNAME="ci",
        REGISTRY_PASSWORD="a-password-of-one-registry",
        PRE_DEPLOY_TEST="self-test",
        PRE_DEPLOY_TEST_IMAGE="registry.example/team/web:2",
        POST_DEPLOY_TEST="smoke-test",
        POST_DEPLOY_TEST_IMAGE="python:3.13",
    )
    assert result.code == 0, result.text
    first, second = runner.commands
    assert first.login == {"username": "ci", "password": "a-password-of-one-registry"}
    assert second.login is None
