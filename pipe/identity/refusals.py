"""AWS's errors explained for a Bitbucket step, each with its remedy.

The cases are those of AssumeRoleWithWebIdentity in the STS API with Bitbucket as identity
provider, and keys that stop working later.
"""

from __future__ import annotations

from datetime import datetime

from pipe.errors import IdentityError, Refused
from pipe.identity import claims as identity
from pipe.identity import trust
from pipe.identity.aws import AwsRefusal
from pipe.identity.claims import Claims
from pipe.settings import AwsSettings

_WRONG_KEYS = (
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


def of_role(
    refusal: AwsRefusal, claims: Claims, settings: AwsSettings, now: datetime
) -> IdentityError:
    """Return the error for a role that AWS does not grant to these claims."""
    message = refusal.message.casefold()
    match refusal.code:
        case "InvalidIdentityToken" if "provider found" in message:
            return _no_provider(claims, settings)
        case "InvalidIdentityToken" if "audience" in message:
            return _wrong_audience(claims, settings)
        case "InvalidIdentityToken":
            return _unverifiable(refusal, claims)
        case "AccessDenied" | "AccessDeniedException":
            return _not_trusted(claims, settings)
        case "ExpiredTokenException" | "ExpiredToken":
            return identity.expired(claims, now)
        case "IDPCommunicationError":
            return _issuer_unreachable(claims)
        case "IDPRejectedClaim":
            return _claim_rejected(refusal)
        case "RegionDisabledException":
            return IdentityError(
                f"STS is not enabled in the region {settings.region} for the account of "
                f"{settings.role_arn}.",
                "Give another region as AWS_DEFAULT_REGION, or activate this one in IAM > Account "
                "settings > Security Token Service.",
            )
        case "ValidationError" if "duration" in message:
            return _duration_too_long(refusal, settings)
    return IdentityError(
        f"AWS refuses the role {settings.role_arn}: {_quote(refusal)}",
        "Check AWS_OIDC_ROLE_ARN and the role's trust policy (ACTION: trust-policy prints it).",
    )


def of_call(refusal: AwsRefusal, what: str, settings: AwsSettings) -> IdentityError | None:
    """Return the error for keys that stopped working, None for any other refusal."""
    if refusal.expired and settings.role_arn:
        return IdentityError(
            f"The role's credentials expired before {what}; they were requested for "
            f"{settings.duration} s.",
            "Raise AWS_ROLE_DURATION, and the role's maximum session duration in IAM to at least "
            "that.",
        )
    if not settings.given and (refusal.expired or refusal.code in _WRONG_KEYS):
        return IdentityError(
            f"AWS does not accept the credentials that the portal issued for {what}: "
            f"{_quote(refusal)}",
            "Run the step again; if the error persists, set AWS_OIDC_ROLE_ARN with oidc: true.",
        )
    if refusal.expired:
        return IdentityError(
            f"The keys in AWS_ACCESS_KEY_ID have expired; AWS reported it for {what}.",
            "Renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or use "
            "AWS_OIDC_ROLE_ARN with oidc: true, which needs no stored keys.",
        )
    if refusal.code in _WRONG_KEYS:
        return IdentityError(
            f"AWS does not accept the keys for {what}: {_quote(refusal)}",
            "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN: all from one "
            "set, complete and still active.",
        )
    return None


def outage(refusal: AwsRefusal, service: str, region: str) -> Refused:
    """Return the error for a temporary failure that lasted longer than a minute."""
    return Refused(
        f"{service} in {region} kept failing for a minute: {refusal}.",
        "Run the step again; it needs no changes.",
        retryable=True,
    )


def _no_provider(claims: Claims, settings: AwsSettings) -> IdentityError:
    account = settings.role_arn.split(":")[4]
    return IdentityError(
        f"The AWS account {account} has no identity provider for {claims.issuer}, which issued "
        "the step's identity token.",
        f"In IAM of account {account} add an identity provider (OpenID Connect): URL "
        f"{claims.issuer}   audience {' and '.join(claims.audiences)}",
    )


def _wrong_audience(claims: Claims, settings: AwsSettings) -> IdentityError:
    account = settings.role_arn.split(":")[4]
    audiences = " and ".join(claims.audiences)
    return IdentityError(
        f"The identity provider in account {account} does not know the audience of the step's "
        f"identity token, {audiences}.",
        f"Add the audience {audiences} to the provider {claims.provider} in IAM, or remove "
        "oidc: audiences: from the pipeline if it is set there.",
    )


def _unverifiable(refusal: AwsRefusal, claims: Claims) -> IdentityError:
    return IdentityError(
        f"AWS cannot verify the step's identity token of {claims.issuer}: {_quote(refusal)}",
        "Run the step again. If it persists, delete the identity provider in IAM and create it "
        "again with exactly that address.",
    )


def _not_trusted(claims: Claims, settings: AwsSettings) -> IdentityError:
    needed = trust.from_claims(claims, settings.role_arn)
    return IdentityError(
        f"The role {settings.role_arn} does not trust this step, or does not exist. The token "
        f"has sub {claims.subject} and aud {', '.join(claims.audiences)}; the trust policy must "
        f"accept both. It must match sub with StringLike against {needed.subject}",
        "Check the role's name, and add this statement to its trust policy; it trusts "
        f"{needed.bound_to}:",
        trust.text(needed.statement()),
    )


def _issuer_unreachable(claims: Claims) -> IdentityError:
    return IdentityError(
        f"AWS could not reach Bitbucket's issuer {claims.issuer} to verify the step's "
        "identity token; it failed for a minute.",
        "This is usually temporary: run the step again. If it persists, open the issuer's "
        "address followed by /.well-known/openid-configuration; it must respond.",
    )


def _claim_rejected(refusal: AwsRefusal) -> IdentityError:
    return IdentityError(
        "The identity provider rejected the step's identity token: AWS returned "
        f'"{refusal.message}". A token is rejected when it was revoked or has expired.',
        "Run the step again: each run gets a new token.",
    )


def _duration_too_long(refusal: AwsRefusal, settings: AwsSettings) -> IdentityError:
    return IdentityError(
        f"AWS_ROLE_DURATION ({settings.duration} s) is more than the role {settings.role_arn} "
        f"allows: {_quote(refusal)}",
        "Lower AWS_ROLE_DURATION, or raise the role's maximum session duration in IAM.",
    )


def _quote(refusal: AwsRefusal) -> str:
    return f'{refusal.code}, "{refusal.message}".'
