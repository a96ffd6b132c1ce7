"""Hosts whose name alone decides how they are reached."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from pipe.image import Image

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
"""This machine: plain http is allowed, as in Docker, and no proxy is used."""

STEP_PROXY = "http://host.docker.internal:29418"
"""The proxy that every step has; a plain HTTP request through it needs no credentials."""

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


def is_internal(host: str) -> bool:
    """Return whether a host name alone shows an address that is not on the public internet.

    Knows every spelling that a connection accepts, such as 127.1 and 0x7f000001.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name in LOCAL_HOSTS or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(name))
        except (OSError, ValueError):
            return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global


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
