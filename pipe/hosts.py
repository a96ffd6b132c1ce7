"""Hosts whose name alone decides how they are reached."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipe.image import Image

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
"""This machine: plain http is allowed, as in Docker, and no proxy is used."""

DOCKER_HUB = "registry-1.docker.io"
"""The host of Docker Hub's API."""

_DOCKER_HUB_NAMES = ("", "docker.io", "index.docker.io", DOCKER_HUB)

AWS_REGION = r"[a-z]{2,4}(?:-[a-z]{1,16}){1,3}-[0-9]{1,2}"
"""What may stand for a region in an address: boto3 fails with any other text."""

_ECR = re.compile(
    rf"(?P<account>[0-9]{{12}})(?:\.dkr\.ecr(?:-fips)?\.(?P<region>{AWS_REGION})"
    rf"\.amazonaws\.com(?:\.cn)?|\.dkr-ecr(?:-fips)?\.(?P<region6>{AWS_REGION})"
    r"\.on\.(?:aws|amazonwebservices\.com\.cn))"
)


@dataclass(frozen=True)
class EcrAddress:
    """A private ECR registry: the AWS account that owns it, and its region."""

    account: str
    region: str


def registry_host(image: Image) -> str:
    """Return the host, and port if given, of the registry of `image`.

    Without a registry it is Docker Hub, as for Docker. All names of Docker Hub are one host.
    """
    host = image.registry.lower()
    return DOCKER_HUB if host in _DOCKER_HUB_NAMES else host


def ecr_address(image: Image) -> EcrAddress | None:
    """Return the ECR registry of `image`, None for any other registry."""
    match = _ECR.fullmatch(image.registry)
    return EcrAddress(match["account"], match["region"] or match["region6"]) if match else None
