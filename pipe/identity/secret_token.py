"""The portal token from AWS Secrets Manager, so that Bitbucket does not store it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pipe.errors import IdentityError, Refused
from pipe.identity import refusals
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.secret import Secret
from pipe.settings import Settings, parsers

_KEY = "DUPLO_TOKEN"


def read(aws: AwsClient, settings: Settings) -> tuple[Secret, datetime | None]:
    """Return the token, masked, and when it was stored; raise `IdentityError` if unreadable."""
    name = settings.token_secret
    parts = name.split(":")
    region = parts[3] if parts[0] == "arn" and len(parts) > 3 else aws.region
    try:
        output = aws.call("secretsmanager", "get_secret_value", region, SecretId=name)
    except AwsRefusal as refusal:
        raise _explain(refusal, name, region, settings) from refusal
    value = str(output.get("SecretString") or "").strip()
    if not value:
        raise _unusable(name, "is empty, or binary instead of text")
    try:
        token = aws.mask.add(parsers.token(_extract(value, name)))
    except ValueError as error:
        raise _unusable(name, str(error)) from None
    stored = output.get("CreatedDate")
    return token, stored if isinstance(stored, datetime) else None


def _extract(value: str, name: str) -> str:
    """Return the token: the entire text, or the value of its key in JSON."""
    if not value.startswith("{"):
        return value
    try:
        keys = json.loads(value)
    except (ValueError, RecursionError):
        raise _unusable(name, "begins like JSON and is not valid JSON") from None
    token = keys.get(_KEY) if isinstance(keys, Mapping) else None
    if not isinstance(token, str) or not token.strip():
        raise _unusable(name, f'is JSON without a text in the key "{_KEY}"')
    return token.strip()


def _unusable(name: str, problem: str) -> IdentityError:
    return IdentityError(
        f"The secret {name} in DUPLO_TOKEN_SECRET {problem}; expected the portal token as plain "
        f'text, or as JSON with the key "{_KEY}".',
        "Store the token of a service account in the secret.",
    )


def _explain(
    refusal: AwsRefusal, name: str, region: str, settings: Settings
) -> IdentityError | Refused:
    if refusal.retryable:
        return refusals.outage(refusal, "Secrets Manager", region)
    if error := refusals.of_call(refusal, f"reading the secret {name}", settings.aws):
        return error
    who = settings.aws.owner
    if refusal.code == "ResourceNotFoundException":
        return IdentityError(
            f"There is no secret called {name} in {region}, or it has no value.",
            "Correct DUPLO_TOKEN_SECRET or AWS_DEFAULT_REGION, or create the secret; one of "
            "another account needs its full ARN.",
        )
    if refusal.code.startswith("AccessDenied"):
        return IdentityError(
            f"AWS does not allow {who} to read the secret {name} in {region}.",
            f"Allow it secretsmanager:GetSecretValue on {name} (and kms:Decrypt if it is "
            "encrypted with a customer managed key).",
        )
    if refusal.code == "DecryptionFailure":
        return IdentityError(
            f"The secret {name} cannot be decrypted for {who}.",
            "Allow it kms:Decrypt on the key that encrypts the secret.",
        )
    return IdentityError(
        f'The secret {name} cannot be read in {region}: {refusal.code}, "{refusal.message}".',
        "Check in Secrets Manager whether it is scheduled for deletion.",
    )
