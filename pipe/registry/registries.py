"""Which registry answers for an image."""

from __future__ import annotations

from collections.abc import Callable

from pipe.errors import Unreachable
from pipe.hosts import ecr_address
from pipe.http import Network
from pipe.identity.establish import Identity
from pipe.image import Image
from pipe.registry.address import oci_address
from pipe.registry.base import Registry
from pipe.registry.ecr import EcrRegistry
from pipe.registry.oci import OciRegistry
from pipe.registry.proof import Unauthenticated
from pipe.secret import Mask
from pipe.settings import Settings


def registries(
    settings: Settings, identity: Identity, network: Network, mask: Mask
) -> Callable[[Image], Registry]:
    """A function from images to the registries that they live in, as this identity sees them."""
    out_of_reach: dict[str, Unreachable] = {}

    def registry_of(image: Image) -> Registry:
        address = ecr_address(image)
        if address is None:
            rules, where = settings.image_rules, oci_address(image)
            return OciRegistry(network, mask, where, rules, out_of_reach)
        if identity.aws is None:
            return Unauthenticated()
        account = identity.role.account if identity.role else ""
        return EcrRegistry(identity.aws, settings.aws, address, account)

    return registry_of
