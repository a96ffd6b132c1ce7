"""The portal's token from AWS Secrets Manager, so that Bitbucket has to store none."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipe.errors import IdentityError, Refused
from pipe.identity import refusals
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.secret import Secret
from pipe.settings import Settings, parsers

_KEY = "DUPLO_TOKEN"


def read(aws: AwsClient, settings: Settings) -> Secret:
    """The token, masked; raises `IdentityError` when it cannot be had."""
    name = settings.token_secret
    parts = name.split(":")
    region = parts[3] if parts[0] == "arn" and len(parts) > 3 else aws.region
    try:
        answer = aws.call("secretsmanager", "get_secret_value", region, SecretId=name)
    except AwsRefusal as refusal:
        raise _explain(refusal, name, region, settings) from refusal
    value = str(answer.get("SecretString") or "").strip()
    if not value:
        raise _unusable(name, "is empty, or holds bytes instead of text")
    try:
        return aws.mask.add(parsers.token(_inner(value, name)))
    except ValueError as error:
        raise _unusable(name, str(error)) from None


def _inner(value: str, name: str) -> str:
    """The token itself: the whole text, or what stands under its key in JSON."""
    if not value.startswith("{"):
        return value
    try:
        keys = json.loads(value)
    except (ValueError, RecursionError):
        raise _unusable(name, "begins like JSON and is none") from None
    found = keys.get(_KEY) if isinstance(keys, Mapping) else None
    if not isinstance(found, str) or not found.strip():
        raise _unusable(name, f'is JSON without a text under the key "{_KEY}"')
    return found.strip()


def _unusable(name: str, what: str) -> IdentityError:
    return IdentityError(
        f"The secret {name} in DUPLO_TOKEN_SECRET {what}; expected the portal's token as plain "
        f'text, or as JSON with the key "{_KEY}".',
        "Store the token of a service account in it.",
    )


def _explain(
    refusal: AwsRefusal, name: str, region: str, settings: Settings
) -> IdentityError | Refused:
    if refusal.retryable:
        return refusals.outage(refusal, "Secrets Manager", region)
    if error := refusals.of_call(refusal, f"reading the secret {name}", settings.aws):
        return error
    who = settings.aws.role_arn or "the user of AWS_ACCESS_KEY_ID"
    if refusal.code == "ResourceNotFoundException":
        return IdentityError(
            f"There is no secret called {name} in {region}, or it has no value yet.",
            "Correct DUPLO_TOKEN_SECRET or AWS_DEFAULT_REGION, or create the secret; one of "
            "another account needs its full ARN.",
        )
    if refusal.code.startswith("AccessDenied"):
        return IdentityError(
            f"AWS does not let {who} read the secret {name} in {region}.",
            f"Allow it secretsmanager:GetSecretValue on {name} (and kms:Decrypt, if a key of your "
            "own encrypts it).",
        )
    if refusal.code == "DecryptionFailure":
        return IdentityError(
            f"The secret {name} cannot be decrypted for {who}.",
            "Allow it kms:Decrypt on the key that encrypts the secret.",
        )
    return IdentityError(
        f'The secret {name} cannot be read in {region}: {refusal.code}, "{refusal.said}".',
        "See in Secrets Manager whether it is scheduled for deletion.",
    )
