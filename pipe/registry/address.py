"""Addresses of registries, derived from image references."""

from __future__ import annotations

from dataclasses import dataclass

from pipe.hosts import DOCKER_HUB, LOCAL_HOSTS, registry_host
from pipe.image import Image


@dataclass(frozen=True)
class OciAddress:
    """The API of a registry other than ECR. `host` may include a port, `name` is for messages."""

    host: str
    repository: str
    name: str

    @property
    def local(self) -> bool:
        """Whether the registry is on this machine, where plain http is allowed."""
        name = self.host.rpartition(":")[0] if self.host[-1].isdigit() else self.host
        return (name or self.host).strip("[]") in LOCAL_HOSTS


def oci_address(image: Image) -> OciAddress:
    """Return the registry API of `image`."""
    host = registry_host(image)
    if host != DOCKER_HUB:
        return OciAddress(host, image.repository, image.registry)
    repository = image.repository if "/" in image.repository else f"library/{image.repository}"
    return OciAddress(host, repository, "Docker Hub")
