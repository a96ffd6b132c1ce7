"""The registry of an image, as the run's identity may use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipe.errors import Unreachable
from pipe.hosts import ecr_address
from pipe.http import Network
from pipe.identity.establish import Identity
from pipe.image import Image
from pipe.registry.address import oci_address
from pipe.registry.base import CannotVerify, Registry, RegistryImage
from pipe.registry.ecr import EcrRegistry
from pipe.registry.oci import OciRegistry
from pipe.registry.oci_client import OciClient
from pipe.secret import Mask
from pipe.settings import Settings


class Unauthenticated:
    """An ECR registry in a run without an AWS identity: no request can succeed."""

    def find(self, image: Image) -> RegistryImage:
        """See `Registry`."""
        raise self._error(image)

    def platforms(self, image: Image) -> frozenset[str]:
        """See `Registry`."""
        raise self._error(image)

    def tags(self, image: Image) -> Sequence[str]:
        """See `Registry`."""
        raise self._error(image)

    def _error(self, image: Image) -> CannotVerify:
        return CannotVerify(
            f"{image.registry} requires an AWS identity",
            "Give AWS_OIDC_ROLE_ARN with oidc: true on the step, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or remove AWS_FROM_PORTAL: 'false'.",
        )


def registry_lookup(
    settings: Settings, identity: Identity, network: Network, mask: Mask
) -> Callable[[Image], Registry]:
    """Return a function from an image to its registry."""
    unreachable: dict[str, Unreachable] = {}

    def registry_of(image: Image) -> Registry:
        ecr = ecr_address(image)
        if ecr is None:
            address = oci_address(image)
            rules = settings.image_rules
            if address.host not in settings.password_hosts:
                rules = rules.without_login()
            client = OciClient(network, mask, address, rules, unreachable)
            return OciRegistry(client, pin_digest=rules.pin_digest)
        if identity.aws is None:
            return Unauthenticated()
        account = identity.role.account if identity.role else ""
        return EcrRegistry(identity.aws, settings.aws, ecr, account)

    return registry_of
