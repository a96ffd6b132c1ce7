"""Hosts whose name alone decides how they are reached."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipe.image import Image

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
"""This machine: plain http is allowed, as in Docker, and no proxy is used."""

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


def ecr_address(image: Image) -> EcrAddress | None:
    """Return the ECR registry of `image`, None for any other registry."""
    match = _ECR.fullmatch(image.registry)
    return EcrAddress(match["account"], match["region"] or match["region6"]) if match else None
