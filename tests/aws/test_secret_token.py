"""The portal token from Secrets Manager."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pipe.report.authenticity import is_authentic
from pipe.secret import Secret
from tests.aws.conftest import AwsHarness

NAME = "deploy/portal-token"
VARIABLES = {"DUPLO_TOKEN": "", "DUPLO_TOKEN_SECRET": NAME}


def store(aws: AwsHarness, **value: Any) -> str:
    """Create the secret; return its ARN."""
    client = aws.cloud.client("secretsmanager")
    return str(client.create_secret(Name=NAME, **value)["ARN"])


def test_the_portal_token_is_read_from_secrets_manager(aws: AwsHarness) -> None:
    """The role reads it, and it is not shown."""
    store(aws, SecretString=aws.harness.world.token)
    result = aws.deploy(**VARIABLES)
    assert result.code == 0, result.text
    assert f"Portal token read from the secret {NAME}" in result.log
    assert aws.harness.world.service("web").image == "team/web:1.4.2"


def test_a_refused_token_is_called_by_its_secret(aws: AwsHarness) -> None:
    """DUPLO_TOKEN is not set, so no message may name it."""
    store(aws, SecretString="not-the-right-token")
    result = aws.refused(3, **VARIABLES)
    assert "refuses the token from DUPLO_TOKEN_SECRET" in result.stdout
    assert "in the AWS secret DUPLO_TOKEN_SECRET" in result.log
    assert not re.search(r"DUPLO_TOKEN\b", result.text)


def test_a_read_only_token_is_called_by_its_secret(aws: AwsHarness) -> None:
    """The portal refuses the first write."""
    aws.harness.world.add_token("read-only-token", read_only=True)
    store(aws, SecretString="read-only-token")
    result = aws.deploy(**VARIABLES)
    assert result.code == 4
    assert "Give the service account of DUPLO_TOKEN_SECRET write access" in result.log
    assert not re.search(r"DUPLO_TOKEN\b", result.text)


def test_the_token_may_be_a_value_in_json(aws: AwsHarness) -> None:
    """In the key DUPLO_TOKEN, beside others."""
    store(aws, SecretString=json.dumps({"user": "ci", "DUPLO_TOKEN": aws.harness.world.token}))
    assert aws.deploy(**VARIABLES).code == 0


def test_the_region_is_taken_from_the_secrets_arn(aws: AwsHarness) -> None:
    """Not from AWS_DEFAULT_REGION."""
    arn = store(aws, SecretString=aws.harness.world.token)
    environ = {**VARIABLES, "DUPLO_TOKEN_SECRET": arn}
    assert aws.deploy(**environ, AWS_DEFAULT_REGION="us-west-2").code == 0


def test_static_keys_can_read_the_secret(aws: AwsHarness) -> None:
    """No role is needed."""
    store(aws, SecretString=aws.harness.world.token)
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    result = aws.deploy(**VARIABLES, **keys, AWS_OIDC_ROLE_ARN="")
    assert result.code == 0, result.text
    assert aws.cloud.door.log == ["GetSecretValue"]


def test_a_missing_secret_is_explained(aws: AwsHarness) -> None:
    """Exit 3 names secret and region."""
    result = aws.refused(3, **VARIABLES)
    assert f"There is no secret called {NAME} in eu-west-1" in result.stdout
    assert "DUPLO_TOKEN_SECRET or AWS_DEFAULT_REGION" in result.log


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"SecretString": " "}, "is empty"),
        ({"SecretBinary": b"bytes"}, "binary instead of text"),
        ({"SecretString": '{"token": "x"}'}, 'is JSON without a text in the key "DUPLO_TOKEN"'),
        ({"SecretString": '{"DUPLO_TOKEN": ""}'}, "is JSON without a text"),
        ({"SecretString": "{never-shown-half"}, "begins like JSON and is not valid JSON"),
        ({"SecretString": "never shown with blanks"}, "contains spaces"),
    ],
)
def test_an_unusable_secret_is_explained(
    aws: AwsHarness, value: dict[str, Any], reason: str
) -> None:
    """Exit 3 shows the expected content and not the actual one."""
    store(aws, **value)
    result = aws.refused(3, **VARIABLES)
    assert reason in result.stdout
    assert "expected the portal token as plain text" in result.stdout
    assert "never" not in result.text


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("AccessDeniedException", "does not allow arn:aws:iam::", "secretsmanager:GetSecretValue"),
        ("DecryptionFailure", "cannot be decrypted", "kms:Decrypt"),
        ("InvalidRequestException", "InvalidRequestException", "scheduled for deletion"),
        ("ExpiredTokenException", "credentials expired", "AWS_ROLE_DURATION"),
    ],
)
def test_a_refused_secret_is_explained(
    aws: AwsHarness, code: str, message: str, remedy: str
) -> None:
    """Exit 3 names the missing permission."""
    aws.cloud.fail("GetSecretValue", code, "no")
    result = aws.refused(3, **VARIABLES)
    assert message in result.stdout
    assert remedy in result.log


def test_wrong_static_keys_are_explained(aws: AwsHarness) -> None:
    """Exit 3 names the variables."""
    aws.cloud.fail("GetSecretValue", "UnrecognizedClientException", "The token is invalid.")
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    result = aws.refused(3, **VARIABLES, **keys, AWS_OIDC_ROLE_ARN="")
    assert "AWS does not accept the keys" in result.stdout
    assert "Check AWS_ACCESS_KEY_ID" in result.log


def test_the_record_is_signed_with_the_token_in_the_secret(aws: AwsHarness) -> None:
    """The next run finds it authentic."""
    store(aws, SecretString=aws.harness.world.token)
    assert aws.deploy(**VARIABLES).code == 0
    content = (aws.harness.report_dir / "deploy.json").read_bytes()
    assert is_authentic(content, Secret(aws.harness.world.token))
    assert "is not used" not in aws.deploy(**VARIABLES).log
