"""The role: assumed with the step's web identity, held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipe.errors import IdentityError, Refused
from pipe.identity import claims as identity
from pipe.identity import refusals
from pipe.identity.aws import Aws, AwsRefusal
from pipe.identity.claims import Claims
from pipe.secret import Mask, Secret
from pipe.settings import Aws as Wanted
from pipe.settings import Keys


@dataclass(frozen=True)
class Role:
    """An assumed role: its session as AWS names it, and temporary keys."""

    arn: str
    account: str
    keys: Keys
    expires: datetime


def assume(aws: Aws, wanted: Wanted, now: datetime) -> Role:
    """Assume the role; raises `IdentityError` with the reason, before any call where possible."""
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
    given = answer["Credentials"]
    keys = _masked(
        aws.mask,
        Keys(
            given["AccessKeyId"],
            Secret(given["SecretAccessKey"]),
            Secret(given["SessionToken"]),
        ),
    )
    arn = str(answer["AssumedRoleUser"]["Arn"])
    return Role(arn, arn.split(":")[4], keys, given["Expiration"])


def _masked(mask: Mask, keys: Keys) -> Keys:
    """The same keys, never to be shown from now on."""
    for secret in (Secret(keys.access_key_id), keys.secret_access_key, keys.session_token):
        mask.add(secret)
    return keys


def whoami(aws: Aws, wanted: Wanted) -> tuple[str, str]:
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
    refusal: AwsRefusal, claims: Claims, wanted: Wanted, now: datetime
) -> IdentityError | Refused:
    if refusal.passing and refusal.code != "IDPCommunicationError":
        return Refused(
            f"STS in {wanted.region} went on failing for a minute: {refusal}.",
            "Run the step again; nothing about it has to be changed.",
            passing=True,
        )
    return refusals.of_role(refusal, claims, wanted, now)
