"""Establish the identity of a run before its first request to the portal."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipe.errors import PipeError
from pipe.http import Network
from pipe.identity import secret_token, sts
from pipe.identity.aws import AwsClient
from pipe.identity.portal_keys import PortalKeys
from pipe.identity.sts import Role
from pipe.identity.token_life import TokenEnd, end_of
from pipe.secret import Mask, Secret
from pipe.settings import FromPortal, Keys, Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """The portal token of a run; `aws` is None without an AWS identity, `role` without a role.

    `portal_keys` is None unless the identity in AWS is the tenant's, `token_end` unless it is known
    when the token ends.
    """

    token: Secret
    aws: AwsClient | None = None
    role: Role | None = None
    portal_keys: PortalKeys | None = None
    token_end: TokenEnd | None = None


def establish(settings: Settings, network: Network, mask: Mask) -> Identity:
    """Assume the role and read the token, where configured; raise `IdentityError`."""
    return with_token(settings, in_aws(settings, network, mask))


def with_token(settings: Settings, identity: Identity) -> Identity:
    """Return the identity with the portal token, read from DUPLO_TOKEN_SECRET if set."""
    if not settings.token_secret or identity.aws is None:
        return replace(identity, token_end=end_of(identity.token))
    token, stored = secret_token.read(identity.aws, settings)
    log.info("Portal token read from the secret %s", settings.token_secret)
    return replace(identity, token=token, token_end=end_of(token, stored))


def in_aws(settings: Settings, network: Network, mask: Mask) -> Identity:
    """Return the AWS identity, without a portal token from DUPLO_TOKEN_SECRET."""
    aws = settings.aws
    if aws.role_arn:
        if aws.keys:
            log.info("AWS_OIDC_ROLE_ARN is set, so AWS_ACCESS_KEY_ID is not used.")
        _note_precedence("AWS_OIDC_ROLE_ARN", settings)
        anonymous = AwsClient(network, mask, aws.region, endpoints=aws.endpoints)
        role = sts.assume(anonymous, aws, network.clock.now())
        log.info("AWS role %s, account %s", role.arn.partition("assumed-role/")[2], role.account)
        return Identity(settings.token, anonymous.with_keys(role.keys), role)
    if aws.keys:
        _note_precedence("AWS_ACCESS_KEY_ID", settings)
        log.info("AWS identity: the keys in AWS_ACCESS_KEY_ID")
        client = AwsClient(network, mask, aws.region, aws.keys, aws.endpoints)
        return Identity(settings.token, client)
    return Identity(settings.token)


def with_portal_keys(
    settings: Settings, identity: Identity, keys: PortalKeys, network: Network, mask: Mask
) -> Identity:
    """Return the identity with the tenant's credentials, where no role and no keys are given.

    They are requested when first needed, or at once if AWS_FROM_PORTAL requires them; raises
    the error of that request.
    """
    aws = settings.aws
    if not aws.portal_wanted:
        return identity
    if aws.portal_required:
        keys.current()
    client = AwsClient(network, mask, aws.region, endpoints=aws.endpoints, source=keys)
    return replace(identity, aws=client, portal_keys=keys)


def variables_for_tests(settings: Settings, identity: Identity) -> Mapping[str, str]:
    """Return temporary credentials and region as the variables of a test; never raises.

    Empty for permanent keys, and for a tenant whose credentials nothing else in the run needs.
    """
    region = settings.aws.region
    if identity.role:
        return _variables(identity.role.keys, region)
    source = identity.portal_keys
    if source is None or not (settings.uses_ecr or source.issued):
        return {}
    try:
        issued = source.current(lasting=settings.tests.seconds)
    except PipeError as error:
        log.warning("Tests run without AWS credentials: %s", error.diagnosis)
        return {}
    return _variables(issued.keys, region or issued.region)


def _variables(keys: Keys, region: str) -> Mapping[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key.reveal(),
        "AWS_SESSION_TOKEN": keys.session_token.reveal(),
        **({"AWS_DEFAULT_REGION": region, "AWS_REGION": region} if region else {}),
    }


def _note_precedence(name: str, settings: Settings) -> None:
    if settings.aws.from_portal is FromPortal.ALWAYS:
        log.info("%s is set, so the portal's AWS credentials are not used.", name)
