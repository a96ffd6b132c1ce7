"""Deploy tests with AWS: temporary credentials, and logins to pull images."""

from __future__ import annotations

import pytest

from tests.aws.conftest import AwsStage
from tests.deploy_tests.commands import FakeRunner
from tests.sandbox.aws import REGION


def test_deploy_tests_get_the_roles_credentials(aws: AwsStage) -> None:
    """Temporary credentials and region are set, the tokens they came from are not."""
    ending = aws.deploy(
        VERIFY_IMAGE="false",
        POST_DEPLOY_TEST='test "$AWS_ACCESS_KEY_ID" && test "$AWS_SECRET_ACCESS_KEY" && '
        f'test "$AWS_SESSION_TOKEN" && test "$AWS_REGION" = {REGION} && '
        'test -z "$BITBUCKET_STEP_OIDC_TOKEN" && test -z "$DUPLO_TOKEN"',
    )
    assert ending.code == 0, ending.text


def test_the_roles_credentials_are_masked_in_test_output(aws: AwsStage) -> None:
    """A test may print its environment."""
    ending = aws.deploy(VERIFY_IMAGE="false", PRE_DEPLOY_TEST="printenv")
    assert ending.code == 0, ending.text
    assert "AWS_SESSION_TOKEN=***" in ending.log
    for secret in aws.cloud.door.given:
        assert secret not in ending.text


def test_without_a_role_tests_get_no_keys(aws: AwsStage) -> None:
    """Keys in the variables are for the pipe only."""
    ending = aws.stage.deploy(
        VERIFY_IMAGE="false",
        AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
        AWS_SECRET_ACCESS_KEY="login-to-the-pipe-alone",
        AWS_DEFAULT_REGION=REGION,
        PRE_DEPLOY_TEST='test -z "$AWS_ACCESS_KEY_ID$AWS_SECRET_ACCESS_KEY"',
    )
    assert ending.code == 0, ending.text


@pytest.mark.parametrize("elsewhere", ["python:3.13", "registry.example/tool:1"])
def test_an_image_in_ecr_is_pulled_with_ecrs_password(aws: AwsStage, elsewhere: str) -> None:
    """Docker gets the role's login for ECR, and none for other registries."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    runner = aws.stage.dependencies["runner"] = FakeRunner()
    ending = aws.deploy(
        f"{name}:1.4.2",
        PRE_DEPLOY_TEST="self-test",
        PRE_DEPLOY_TEST_IMAGE=f"{name}:1.4.2",
        POST_DEPLOY_TEST="smoke-test",
        POST_DEPLOY_TEST_IMAGE=elsewhere,
    )
    assert ending.code == 0, ending.text
    logins = {str(command.image): command.login for command in runner.commands}
    login = logins[f"{name}:1.4.2"]
    assert login is not None
    assert login["username"] == "AWS"
    assert login["password"]
    assert login["password"] not in ending.text
    assert logins[elsewhere] is None


def test_the_registry_password_is_sent_to_its_registry_only(aws: AwsStage) -> None:
    """REGISTRY_PASSWORD belongs to the registry of the deployed image."""
    runner = aws.stage.dependencies["runner"] = FakeRunner()
    ending = aws.stage.deploy(
        "registry.example/team/web:2",
        VERIFY_IMAGE="false",
        REGISTRY_USERNAME="ci",
        REGISTRY_PASSWORD="a-password-of-one-registry",
        PRE_DEPLOY_TEST="self-test",
        PRE_DEPLOY_TEST_IMAGE="registry.example/team/web:2",
        POST_DEPLOY_TEST="smoke-test",
        POST_DEPLOY_TEST_IMAGE="python:3.13",
    )
    assert ending.code == 0, ending.text
    first, second = runner.commands
    assert first.login == {"username": "ci", "password": "a-password-of-one-registry"}
    assert second.login is None
