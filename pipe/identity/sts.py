"""AWS Security Token Service: assume the role and identify its keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipe.errors import IdentityError, Refused
from pipe.identity import claims as identity
from pipe.identity import refusals
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.identity.claims import Claims
from pipe.secret import Mask, Secret
from pipe.settings import AwsSettings, Keys

_NOT_AWS = "Check which server responds in place of AWS (HTTPS_PROXY, AWS_ENDPOINT_URL)."


@dataclass(frozen=True)
class Role:
    """An assumed role: the ARN of its session, and temporary keys."""

    arn: str
    account: str
    keys: Keys
    expires: datetime


def assume(aws: AwsClient, settings: AwsSettings, now: datetime) -> Role:
    """Assume the role with the step's identity token.

    Raises `IdentityError` with the reason, before the call where possible, and `PlatformError`
    when AWS does not respond.
    """
    claims = identity.validate(settings.web_identity, now)
    try:
        output = aws.call(
            "sts",
            "assume_role_with_web_identity",
            RoleArn=settings.role_arn,
            RoleSessionName=settings.session_name,
            WebIdentityToken=settings.web_identity.reveal(),
            DurationSeconds=settings.duration,
        )
    except AwsRefusal as refusal:
        raise _explain(refusal, claims, settings, now) from refusal
    try:
        return _role(output, aws.mask)
    except LookupError:
        raise Refused(
            f"STS in {settings.region} returned no credentials for the role.", _NOT_AWS
        ) from None


def _role(output: Any, mask: Mask) -> Role:
    credentials = output["Credentials"]
    keys = Keys(
        credentials["AccessKeyId"],
        Secret(credentials["SecretAccessKey"]),
        Secret(credentials["SessionToken"]),
    )
    for secret in (Secret(keys.access_key_id), keys.secret_access_key, keys.session_token):
        mask.add(secret)
    arn = str(output["AssumedRoleUser"]["Arn"])
    return Role(arn, arn.split(":")[4], keys, credentials["Expiration"])


def whoami(aws: AwsClient, settings: AwsSettings) -> tuple[str, str]:
    """Return account and ARN of the owner of the keys; raise `IdentityError` or `PlatformError`."""
    try:
        output = aws.call("sts", "get_caller_identity")
    except AwsRefusal as refusal:
        error = refusals.of_call(refusal, "identifying their owner", settings)
        raise error or IdentityError(
            f"AWS does not identify the owner of the keys: {refusal}.",
            "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from refusal
    try:
        return str(output["Account"]), str(output["Arn"])
    except LookupError:
        raise Refused(
            f"STS in {settings.region} did not return the owner of the keys.", _NOT_AWS
        ) from None


def _explain(
    refusal: AwsRefusal, claims: Claims, settings: AwsSettings, now: datetime
) -> IdentityError | Refused:
    if refusal.retryable and refusal.code != "IDPCommunicationError":
        return refusals.outage(refusal, "STS", settings.region)
    return refusals.of_role(refusal, claims, settings, now)
