"""Where an image lives, told from its reference alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipe.image import Image

PLAIN_HTTP_HOSTS = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
"""Registries that may be asked without TLS, as Docker does with those of the own machine."""

_ECR = re.compile(
    r"(?P<account>[0-9]{12})(?:\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    r"|\.dkr-ecr(?:-fips)?\.(?P<region6>[a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn))"
)
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class EcrAddress:
    """A private ECR registry: the AWS account that owns it, and its region."""

    account: str
    region: str


def ecr_address(image: Image) -> EcrAddress | None:
    """The ECR registry that `image` is in, None for any other registry."""
    found = _ECR.fullmatch(image.registry)
    return EcrAddress(found["account"], found["region"] or found["region6"]) if found else None


@dataclass(frozen=True)
class OciAddress:
    """The API of any other registry. `shown` is its name for people, `host` may hold a port."""

    host: str
    repository: str
    shown: str

    @property
    def local(self) -> bool:
        """Whether it is on this machine, where plain http is as good."""
        name = self.host.rpartition(":")[0] if self.host[-1].isdigit() else self.host
        return (name or self.host).strip("[]") in PLAIN_HTTP_HOSTS


def oci_address(image: Image) -> OciAddress:
    """Where to ask for `image`; a name without registry is Docker Hub's, as for Docker."""
    if image.registry and image.registry not in _HUB:
        return OciAddress(image.registry, image.repository, image.registry)
    repository = image.repository if "/" in image.repository else f"library/{image.repository}"
    return OciAddress("registry-1.docker.io", repository, "Docker Hub")
