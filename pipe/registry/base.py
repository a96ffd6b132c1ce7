"""What a registry can be asked, and what it can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipe.errors import PipeError
from pipe.image import Image

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
"""Media types of images that are lists of images, one per platform."""

MANIFESTS = (
    *INDEXES,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Found:
    """An image that is there. `pushed` is None where the registry does not tell."""

    digest: str
    media_type: str
    pushed: datetime | None = None


@dataclass(frozen=True)
class Finding:
    """One weakness that a scan found, with the scanner's word for how bad it is."""

    name: str
    severity: str


class Absent(Exception):
    """The registry answered, and the image is not there; the text says what is missing."""


class CannotAsk(Exception):
    """The registry gave no answer that proves anything; the text says why.

    `remedy` says what would let it answer.
    """

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy

    @classmethod
    def because(cls, trouble: PipeError) -> CannotAsk:
        """The way to the registry is what failed."""
        return cls(trouble.diagnosis.rstrip("."), trouble.remedy)


class Registry(Protocol):
    """Both methods raise `CannotAsk`, and `IdentityError` for keys that do not work at all."""

    def find(self, image: Image) -> Found:
        """The image as it is there; raises `Absent`."""

    def tags(self, image: Image) -> Sequence[str]:
        """The tags of the image's repository; raises `Absent` when there is no repository."""
