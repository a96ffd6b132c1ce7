"""What Docker has to show a registry before it may pull the image that a test runs in."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping

from pipe.errors import PlatformError
from pipe.hosts import EcrAddress, ecr_address
from pipe.identity.aws import AwsClient, AwsRefusal
from pipe.identity.establish import Identity
from pipe.image import Image
from pipe.secret import Mask, Secret
from pipe.settings import Settings

log = logging.getLogger(__name__)

Login = Callable[[Image], Mapping[str, str] | None]


def logins(settings: Settings, identity: Identity, mask: Mask) -> Login:
    """A function from images to `username` and `password`, None where nothing is known.

    A password given for the registry of the deployed images is shown to that one only.
    """
    rules = settings.image_rules
    own = {request.image.registry for request in settings.image_requests}

    def login(image: Image) -> Mapping[str, str] | None:
        address = ecr_address(image)
        if address is not None and identity.aws is not None:
            return _ecr_login(identity.aws, address, mask)
        if address is None and rules.registry_username and image.registry in own:
            return {
                "username": rules.registry_username,
                "password": rules.registry_password.reveal(),
            }
        return None

    return login


def _ecr_login(aws: AwsClient, address: EcrAddress, mask: Mask) -> Mapping[str, str] | None:
    """ECR's password for Docker; without it the pull fails, and says so as a failed test."""
    accounts = [address.account]
    try:
        answer = aws.call("ecr", "get_authorization_token", address.region, registryIds=accounts)
    except (AwsRefusal, PlatformError) as error:
        log.warning("AWS gives no password for Docker (ecr:GetAuthorizationToken): %s", error)
        return None
    try:
        return _unpacked(str(answer["authorizationData"][0]["authorizationToken"]), mask)
    except (LookupError, ValueError):
        log.warning("AWS gave no password for Docker that can be used.")
        return None


def _unpacked(token: str, mask: Mask) -> Mapping[str, str]:
    """ECR's token is `user:password` in base64."""
    username, _, password = (
        base64.b64decode(mask.add(Secret(token)).reveal()).decode().partition(":")
    )
    mask.add(Secret(password))
    return {"username": username, "password": password}
