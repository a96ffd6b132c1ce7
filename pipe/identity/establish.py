"""The identity of a run, established before the portal is asked anything."""

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
    """Who the run is. `aws` is None for somebody whom AWS does not know, `role` without one."""

    token: Secret
    aws: AwsClient | None = None
    role: Role | None = None


def establish(settings: Settings, network: Network, mask: Mask) -> Identity:
    """Assume the role and read the token, as far as asked for; raises `IdentityError`."""
    return with_token(settings, in_aws(settings, network, mask))


def with_token(settings: Settings, identity: Identity) -> Identity:
    """The identity with the portal's token, read from its secret if there is one."""
    if not settings.token_secret or identity.aws is None:
        return identity
    token = secret_token.read(identity.aws, settings)
    log.info("Portal token read from the secret %s", settings.token_secret)
    return replace(identity, token=token)


def in_aws(settings: Settings, network: Network, mask: Mask) -> Identity:
    """The same without the portal's token."""
    wanted = settings.aws
    if wanted.role_arn:
        if wanted.keys:
            log.info("AWS_OIDC_ROLE_ARN is given, so AWS_ACCESS_KEY_ID is not used.")
        nobody = AwsClient(network, mask, wanted.region)
        role = sts.assume(nobody, wanted, network.clock.now())
        log.info("AWS role %s, account %s", role.arn.partition("assumed-role/")[2], role.account)
        return Identity(settings.token, nobody.with_keys(role.keys), role)
    if wanted.keys:
        return Identity(settings.token, AwsClient(network, mask, wanted.region, wanted.keys))
    return Identity(settings.token)
