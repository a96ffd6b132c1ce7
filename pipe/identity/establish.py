"""Establish the identity of a run before its first request to the portal."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from pipe.http import Network
from pipe.identity import secret_token, sts
from pipe.identity.aws import AwsClient
from pipe.identity.sts import Role
from pipe.secret import Mask, Secret
from pipe.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """The portal token of a run; `aws` is None without an AWS identity, `role` without a role."""

    token: Secret
    aws: AwsClient | None = None
    role: Role | None = None


def establish(settings: Settings, network: Network, mask: Mask) -> Identity:
    """Assume the role and read the token, where configured; raise `IdentityError`."""
    return with_token(settings, in_aws(settings, network, mask))


def with_token(settings: Settings, identity: Identity) -> Identity:
    """Return the identity with the portal token, read from DUPLO_TOKEN_SECRET if set."""
    if not settings.token_secret or identity.aws is None:
        return identity
    token = secret_token.read(identity.aws, settings)
    log.info("Portal token read from the secret %s", settings.token_secret)
    return replace(identity, token=token)


def in_aws(settings: Settings, network: Network, mask: Mask) -> Identity:
    """Return the AWS identity, without a portal token from DUPLO_TOKEN_SECRET."""
    aws = settings.aws
    if aws.role_arn:
        if aws.keys:
            log.info("AWS_OIDC_ROLE_ARN is set, so AWS_ACCESS_KEY_ID is not used.")
        anonymous = AwsClient(network, mask, aws.region, endpoints=aws.endpoints)
        role = sts.assume(anonymous, aws, network.clock.now())
        log.info("AWS role %s, account %s", role.arn.partition("assumed-role/")[2], role.account)
        return Identity(settings.token, anonymous.with_keys(role.keys), role)
    if aws.keys:
        client = AwsClient(network, mask, aws.region, aws.keys, aws.endpoints)
        return Identity(settings.token, client)
    return Identity(settings.token)
