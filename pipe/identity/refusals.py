"""What AWS's refusals mean for a step of Bitbucket, each with the way to mend it.

The cases are those of AssumeRoleWithWebIdentity in the STS API, as they occur with Bitbucket as
identity provider, and of keys that stop working later.
"""

from __future__ import annotations

from datetime import datetime

from pipe.errors import IdentityError, Refused
from pipe.identity import claims as identity
from pipe.identity import trust
from pipe.identity.aws import AwsRefusal
from pipe.identity.claims import Claims
from pipe.settings import AwsSettings

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_WRONG_KEYS = (
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


def of_role(
    refusal: AwsRefusal, claims: Claims, wanted: AwsSettings, now: datetime
) -> IdentityError:
    """Why the role was not given to the holder of these claims."""
    said = refusal.said.casefold()
    match refusal.code:
        case "InvalidIdentityToken" if "provider found" in said:
            return _no_provider(claims, wanted)
        case "InvalidIdentityToken" if "audience" in said:
            return _wrong_audience(claims, wanted)
        case "InvalidIdentityToken":
            return _unverifiable(refusal, claims)
        case "AccessDenied" | "AccessDeniedException":
            return _not_trusted(claims, wanted)
        case "ExpiredTokenException" | "ExpiredToken":
            return identity.expired(claims, now)
        case "IDPCommunicationError":
            return IdentityError(
                f"AWS could not reach Bitbucket's issuer {claims.issuer} to verify the step's "
                "identity token, and went on failing for a minute.",
                "This usually passes: run the step again. If it stays, open the issuer's address "
                "with /.well-known/openid-configuration behind it; it must answer.",
            )
        case "IDPRejectedClaim":
            return IdentityError(
                "The identity provider rejected the step's identity token: AWS says "
                f'"{refusal.said}". A token is rejected when it was revoked or has expired.',
                "Run the step again: a new run gets a new token.",
            )
        case "RegionDisabledException":
            return IdentityError(
                f"STS is not enabled in the region {wanted.region} for the account of "
                f"{wanted.role_arn}.",
                "Give another region as AWS_DEFAULT_REGION, or activate this one in IAM > Account "
                "settings > Security Token Service.",
            )
        case "ValidationError" if "duration" in said:
            return _too_long(refusal, wanted)
    return IdentityError(
        f"AWS refuses the role {wanted.role_arn}: {_word(refusal)}",
        "Check AWS_OIDC_ROLE_ARN and the role's trust policy (ACTION: trust-policy prints it).",
    )


def of_call(refusal: AwsRefusal, what: str, wanted: AwsSettings) -> IdentityError | None:
    """The error when a later call shows that the keys do not work; None for other refusals."""
    if refusal.code in _EXPIRED and wanted.role_arn:
        return IdentityError(
            f"The role's credentials ran out before {what}; they were asked for "
            f"{wanted.duration} s.",
            "Give a greater AWS_ROLE_DURATION, and raise the role's maximum session duration "
            "in IAM to at least that.",
        )
    if refusal.code in _EXPIRED:
        return IdentityError(
            f"The keys in AWS_ACCESS_KEY_ID have expired; AWS says so for {what}.",
            "Renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or use "
            "AWS_OIDC_ROLE_ARN with oidc: true, which needs no stored keys.",
        )
    if refusal.code in _WRONG_KEYS:
        return IdentityError(
            f"AWS does not accept the keys for {what}: {_word(refusal)}",
            "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: all from one "
            "set, complete and still active.",
        )
    return None


def outage(refusal: AwsRefusal, service: str, region: str) -> Refused:
    """The error for a failure that usually passes, and did not within a minute."""
    return Refused(
        f"{service} in {region} went on failing for a minute: {refusal}.",
        "Run the step again; nothing about it has to be changed.",
        retryable=True,
    )


def _no_provider(claims: Claims, wanted: AwsSettings) -> IdentityError:
    account = wanted.role_arn.split(":")[4]
    return IdentityError(
        f"The AWS account {account} has no identity provider for {claims.issuer}, which issued "
        "the step's identity token.",
        f"In IAM of account {account} add an identity provider (OpenID Connect): URL "
        f"{claims.issuer}   audience {' and '.join(claims.audiences)}",
    )


def _wrong_audience(claims: Claims, wanted: AwsSettings) -> IdentityError:
    account = wanted.role_arn.split(":")[4]
    audiences = " and ".join(claims.audiences)
    return IdentityError(
        f"The identity provider in account {account} does not know the audience of the step's "
        f"identity token: the token says {audiences}.",
        f"Add the audience {audiences} to the provider {claims.provider} in IAM, or remove "
        "oidc: audiences: from the pipeline if others were set there.",
    )


def _unverifiable(refusal: AwsRefusal, claims: Claims) -> IdentityError:
    return IdentityError(
        f"AWS cannot verify the step's identity token of {claims.issuer}: {_word(refusal)}",
        "Run the step again. If it stays, delete the identity provider in IAM and create it "
        "anew with exactly that address.",
    )


def _not_trusted(claims: Claims, wanted: AwsSettings) -> IdentityError:
    needed = trust.from_claims(claims, wanted.role_arn)
    return IdentityError(
        f"The role {wanted.role_arn} does not trust this step, or does not exist. The token "
        f"says sub {claims.subject} and aud {', '.join(claims.audiences)}; the trust policy has "
        f"to accept both. It must match sub with StringLike against {needed.subject}",
        f"Check the role's name, and put this statement into its trust policy; it lets in "
        f"{needed.bound_to}:",
        trust.text(needed.statement()),
    )


def _too_long(refusal: AwsRefusal, wanted: AwsSettings) -> IdentityError:
    return IdentityError(
        f"AWS_ROLE_DURATION ({wanted.duration} s) is more than the role {wanted.role_arn} "
        f"allows: {_word(refusal)}",
        "Lower AWS_ROLE_DURATION, or raise the role's maximum session duration in IAM.",
    )


def _word(refusal: AwsRefusal) -> str:
    return f'{refusal.code}, "{refusal.said}".'
