"""Registry credentials for Docker, to pull the images that deploy tests run in."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping

from pipe.errors import PipeError
from pipe.hosts import EcrAddress, ecr_address, registry_host
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.identity.establish import Identity
from pipe.image import Image
from pipe.secret import Mask, Secret
from pipe.settings import Settings

log = logging.getLogger(__name__)

Login = Callable[[Image], Mapping[str, str] | None]


def logins(settings: Settings, identity: Identity, mask: Mask) -> Login:
    """Return a function from an image to `username` and `password`, None without credentials.

    REGISTRY_PASSWORD is only sent to the registry of the deployed images.
    """
    rules = settings.image_rules

    def login(image: Image) -> Mapping[str, str] | None:
        ecr = ecr_address(image)
        if ecr is not None:
            return _ecr_login(identity.aws, ecr, mask) if identity.aws else None
        if not rules.registry_username or registry_host(image) not in settings.password_hosts:
            return None
        return {
            "username": rules.registry_username,
            "password": rules.registry_password.reveal(),
        }

    return login


def _ecr_login(aws: AwsClient, address: EcrAddress, mask: Mask) -> Mapping[str, str] | None:
    """Return ECR's login for Docker; without it the pull fails, and with it the test."""
    accounts = [address.account]
    try:
        output = aws.call("ecr", "get_authorization_token", address.region, registryIds=accounts)
    except (AwsRefusal, PipeError) as error:
        log.warning("AWS returned no password for Docker (ecr:GetAuthorizationToken): %s", error)
        return None
    try:
        return _decode(str(output["authorizationData"][0]["authorizationToken"]), mask)
    except (LookupError, ValueError):
        log.warning("AWS returned no usable password for Docker (ecr:GetAuthorizationToken).")
        return None


def _decode(token: str, mask: Mask) -> Mapping[str, str]:
    """Split ECR's token, `user:password` in base64, and mask it."""
    mask.add(Secret(token))
    username, _, password = base64.b64decode(token).decode().partition(":")
    mask.add(Secret(password))
    return {"username": username, "password": password}
