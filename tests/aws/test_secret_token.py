"""The portal's token from Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.aws.conftest import AwsStage

NAME = "deploy/portal-token"
WITHOUT = {"DUPLO_TOKEN": "", "DUPLO_TOKEN_SECRET": NAME}


def store(aws: AwsStage, **value: Any) -> str:
    """Keep a secret; its ARN."""
    client = aws.cloud.client("secretsmanager")
    return str(client.create_secret(Name=NAME, **value)["ARN"])


def test_a_deploy_needs_no_stored_token(aws: AwsStage) -> None:
    """The token is read with the role, works, and is shown nowhere."""
    store(aws, SecretString=aws.stage.world.token)
    ending = aws.deploy(**WITHOUT)
    assert ending.code == 0, ending.text
    assert f"Portal token read from the secret {NAME}" in ending.log
    assert aws.stage.world.service("web").image == "team/web:1.4.2"


def test_the_token_may_stand_in_json(aws: AwsStage) -> None:
    """Under the key DUPLO_TOKEN, whatever else is there."""
    store(aws, SecretString=json.dumps({"user": "ci", "DUPLO_TOKEN": aws.stage.world.token}))
    assert aws.deploy(**WITHOUT).code == 0


def test_an_arn_tells_its_own_region(aws: AwsStage) -> None:
    """The region of the secret counts, not the one of the images."""
    arn = store(aws, SecretString=aws.stage.world.token)
    environ = {**WITHOUT, "DUPLO_TOKEN_SECRET": arn}
    assert aws.deploy(**environ, AWS_DEFAULT_REGION="us-west-2").code == 0


def test_static_keys_will_do(aws: AwsStage) -> None:
    """No role is needed where keys are given."""
    store(aws, SecretString=aws.stage.world.token)
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    ending = aws.deploy(**WITHOUT, **keys, AWS_OIDC_ROLE_ARN="")
    assert ending.code == 0, ending.text
    assert aws.cloud.door.log == ["GetSecretValue"]


def test_an_absent_secret_is_explained(aws: AwsStage) -> None:
    """Exit 3: name and region."""
    ending = aws.refused(3, **WITHOUT)
    assert f"There is no secret called {NAME} in eu-west-1" in ending.result
    assert "DUPLO_TOKEN_SECRET or AWS_DEFAULT_REGION" in ending.log


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"SecretString": " "}, "is empty"),
        ({"SecretBinary": b"bytes"}, "holds bytes instead of text"),
        ({"SecretString": '{"token": "x"}'}, 'is JSON without a text under the key "DUPLO_TOKEN"'),
        ({"SecretString": '{"DUPLO_TOKEN": ""}'}, "is JSON without a text"),
        ({"SecretString": "{never-shown-half"}, "begins like JSON and is none"),
        ({"SecretString": "never shown with blanks"}, "contains spaces"),
    ],
)
def test_a_useless_secret_is_explained(aws: AwsStage, value: dict[str, Any], why: str) -> None:
    """Exit 3: what it holds is not shown, what it should hold is."""
    store(aws, **value)
    ending = aws.refused(3, **WITHOUT)
    assert why in ending.result
    assert "expected the portal's token as plain text" in ending.result
    assert "never" not in ending.text


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("AccessDeniedException", "does not let arn:aws:iam::", "secretsmanager:GetSecretValue"),
        ("DecryptionFailure", "cannot be decrypted", "kms:Decrypt"),
        ("InvalidRequestException", "InvalidRequestException", "scheduled for deletion"),
        ("ExpiredTokenException", "credentials ran out", "AWS_ROLE_DURATION"),
    ],
)
def test_a_refused_secret_is_explained(aws: AwsStage, code: str, message: str, remedy: str) -> None:
    """Exit 3, with the right to ask for."""
    aws.cloud.fail("GetSecretValue", code, "no")
    ending = aws.refused(3, **WITHOUT)
    assert message in ending.result
    assert remedy in ending.log


def test_wrong_static_keys_are_explained(aws: AwsStage) -> None:
    """Exit 3 names the variables."""
    aws.cloud.fail("GetSecretValue", "UnrecognizedClientException", "The token is invalid.")
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    ending = aws.refused(3, **WITHOUT, **keys, AWS_OIDC_ROLE_ARN="")
    assert "AWS does not accept the keys" in ending.result
    assert "Check AWS_ACCESS_KEY_ID" in ending.log
