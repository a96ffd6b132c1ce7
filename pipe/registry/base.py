"""The interface of registries and the values they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipe.errors import PipeError
from pipe.image import Image
from pipe.secret import clause

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
"""Media types of image indexes: lists of images, one for each platform."""

MANIFESTS = (
    *INDEXES,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class RegistryImage:
    """An image that exists in a registry; `pushed` is None where the registry omits it."""

    digest: str
    media_type: str
    pushed: datetime | None = None


@dataclass(frozen=True)
class Finding:
    """One vulnerability found by a scan, with the scanner's severity."""

    name: str
    severity: str


class ImageNotFound(Exception):
    """The registry responded that the image does not exist; the text names what is missing."""


class CannotVerify(Exception):
    """The registry gave no conclusive response; the text gives the reason, `remedy` what to do."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy

    @classmethod
    def because(cls, error: PipeError) -> CannotVerify:
        """Wrap the error that the request to the registry ended with."""
        return cls(clause(error.diagnosis), error.remedy)


class Registry(Protocol):
    """Reads one registry.

    Methods raise `CannotVerify`, and `IdentityError` for AWS keys that do not work at all.
    """

    def find(self, image: Image) -> RegistryImage:
        """Return the image as the registry describes it; raise `ImageNotFound`.

        The digest may differ from the one in `image`: the caller compares them.
        """

    def platforms(self, image: Image) -> frozenset[str]:
        """Return an image's platforms, such as linux/amd64; raise `ImageNotFound`.

        Empty for an image that names none.
        """

    def tags(self, image: Image) -> Sequence[str]:
        """Return the tags in the image's repository; raise `ImageNotFound` without a repository."""
