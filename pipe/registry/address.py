"""Addresses of registries, derived from image references."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from pipe.hosts import DOCKER_HUB, LOCAL_HOSTS, is_internal, registry_host
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

    @property
    def internal(self) -> bool:
        """Whether its name alone shows that the registry is not on the public internet."""
        return self.local or is_internal(urlsplit(f"//{self.host}").hostname or "")


def oci_address(image: Image) -> OciAddress:
    """Return the registry API of `image`."""
    host = registry_host(image)
    if host != DOCKER_HUB:
        return OciAddress(host, image.repository, image.registry)
    repository = image.repository if "/" in image.repository else f"library/{image.repository}"
    return OciAddress(host, repository, "Docker Hub")
