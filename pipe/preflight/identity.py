"""Check the step's identity token, the role or the keys."""

from __future__ import annotations

from datetime import datetime

from pipe.errors import ExitCode, PipeError
from pipe.identity import claims, sts, trust
from pipe.identity.aws import AwsClient
from pipe.identity.claims import Claims
from pipe.identity.establish import Identity, in_aws, with_portal_keys
from pipe.portal import TenantPortal
from pipe.portal.aws_credentials import tenant_keys
from pipe.preflight.checker import Checker

_CREDENTIALS = "AWS credentials"


def check_identity(checker: Checker) -> Identity | None:
    """Return the run's identity, None if the configured AWS identity cannot be used."""
    settings = checker.settings
    if settings.aws.role_arn and not _check_token(checker):
        return None
    if not settings.aws.given:
        return Identity(settings.token)
    reached = _check_connection(checker)
    if settings.aws.role_arn and not reached:
        checker.unknown("AWS role", "not assumed, because STS cannot be reached")
        return None
    identity = checker.attempt(
        "AWS identity", lambda: in_aws(settings, checker.network, checker.mask)
    )
    if identity and identity.role:
        role = identity.role
        until = f"{role.expires:%Y-%m-%d %H:%M:%S} UTC"
        checker.passed("AWS role", f"{role.arn}, account {role.account}, until {until}")
    elif identity and identity.aws and settings.aws.region and reached:
        _check_keys(checker, identity.aws)
    return identity


def add_portal_keys(checker: Checker, identity: Identity, tenant: TenantPortal) -> Identity:
    """Return the identity with the tenant's AWS credentials, if a deploy would request them."""
    settings, network, mask = checker.settings, checker.network, checker.mask
    keys = tenant_keys(tenant, network.clock, mask)
    if not (settings.aws.portal_wanted and (settings.uses_ecr or settings.aws.portal_required)):
        return identity
    try:
        identity = with_portal_keys(settings, identity, keys, network, mask)
        issued = keys.current()
    except PipeError as error:
        if settings.aws.portal_required:
            checker.failed(_CREDENTIALS, error)
        else:
            checker.unknown(_CREDENTIALS, f"{error.diagnosis} {error.remedy}")
        return identity
    region = issued.region or "not named by the portal"
    minutes = issued.seconds / 60
    message = f"issued by the portal, valid for {minutes:.0f} min, region {region}"
    checker.passed(_CREDENTIALS, message)
    return identity


def _check_connection(checker: Checker) -> bool:
    """Report the connection to STS, which a deploy with keys does not need."""
    aws = checker.settings.aws
    if not aws.region:
        return True
    anonymous = AwsClient(checker.network, checker.mask, aws.region, endpoints=aws.endpoints)
    failure = ExitCode.PLATFORM if aws.role_arn else None
    return checker.connection("STS", anonymous.endpoint("sts"), "AWS_DEFAULT_REGION", failure)


def _check_token(checker: Checker) -> bool:
    """Report the token's claims; return False if AWS would refuse the token anyway."""
    now = checker.network.clock.now()
    token = checker.attempt(
        "identity token", lambda: claims.validate(checker.settings.aws.web_identity, now)
    )
    if token is None:
        return False
    _report_claims(checker, token, now)
    return True


def _report_claims(checker: Checker, token: Claims, now: datetime) -> None:
    """Report each claim with the condition that the role's trust policy needs for it."""
    needed = trust.from_claims(token, checker.settings.aws.role_arn)
    policy = "the role's trust policy needs"
    audiences = " or ".join(token.audiences)
    minutes = (token.expires - now).total_seconds() / 60
    for name, message in {
        "identity token": f"valid until {token.expires:%Y-%m-%d %H:%M:%S} UTC, {minutes:.0f} min",
        "claim iss": f"{token.issuer}; {policy} Federated {needed.provider_arn}",
        "claim aud": f"{audiences}; {policy} StringEquals {needed.provider}:aud {audiences}",
        "claim sub": f"{token.subject}; {policy} StringLike {needed.provider}:sub "
        f"{needed.subject}, which allows {needed.bound_to}",
        "claim environment": token.environment or "none: the step has no deployment environment",
    }.items():
        checker.passed(name, message)


def _check_keys(checker: Checker, aws: AwsClient) -> None:
    owner = checker.attempt("AWS keys", lambda: sts.whoami(aws, checker.settings.aws))
    if owner:
        checker.passed("AWS keys", f"{owner[1]}, account {owner[0]}")
