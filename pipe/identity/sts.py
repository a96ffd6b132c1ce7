"""The role: assumed with the step's web identity, held in memory."""

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


@dataclass(frozen=True)
class Role:
    """An assumed role: its session as AWS names it, and temporary keys."""

    arn: str
    account: str
    keys: Keys
    expires: datetime


def assume(aws: AwsClient, wanted: AwsSettings, now: datetime) -> Role:
    """Assume the role; raises `IdentityError` with the reason, before any call where possible.

    Raises `PlatformError` when AWS cannot be asked.
    """
    claims = identity.checked(wanted.web_identity, now)
    try:
        answer = aws.call(
            "sts",
            "assume_role_with_web_identity",
            RoleArn=wanted.role_arn,
            RoleSessionName=wanted.session_name,
            WebIdentityToken=wanted.web_identity.reveal(),
            DurationSeconds=wanted.duration,
        )
    except AwsRefusal as refusal:
        raise _explain(refusal, claims, wanted, now) from refusal
    try:
        return _role(answer, aws.mask)
    except LookupError:
        raise Refused(
            f"STS in {wanted.region} answered without the role's credentials.",
            "See what answers in place of AWS there (HTTPS_PROXY, AWS_ENDPOINT_URL).",
        ) from None


def _role(answer: Any, mask: Mask) -> Role:
    given = answer["Credentials"]
    secret = Secret(given["SecretAccessKey"]), Secret(given["SessionToken"])
    keys = _masked(mask, Keys(given["AccessKeyId"], *secret))
    arn = str(answer["AssumedRoleUser"]["Arn"])
    return Role(arn, arn.split(":")[4], keys, given["Expiration"])


def _masked(mask: Mask, keys: Keys) -> Keys:
    """The same keys, never to be shown from now on."""
    for secret in (Secret(keys.access_key_id), keys.secret_access_key, keys.session_token):
        mask.add(secret)
    return keys


def whoami(aws: AwsClient, wanted: AwsSettings) -> tuple[str, str]:
    """Account and ARN of whoever the keys belong to; raises `IdentityError`."""
    try:
        answer = aws.call("sts", "get_caller_identity")
    except AwsRefusal as refusal:
        error = refusals.of_call(refusal, "asking who they belong to", wanted)
        raise error or IdentityError(
            f"AWS does not say who the keys belong to: {refusal}.",
            "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from refusal
    return str(answer["Account"]), str(answer["Arn"])


def _explain(
    refusal: AwsRefusal, claims: Claims, wanted: AwsSettings, now: datetime
) -> IdentityError | Refused:
    if refusal.retryable and refusal.code != "IDPCommunicationError":
        return refusals.outage(refusal, "STS", wanted.region)
    return refusals.of_role(refusal, claims, wanted, now)
