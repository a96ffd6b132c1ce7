"""The words that every room of the pipe uses: target, change, plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pipe.kind import Kind

MAIN = ""
"""The name of a target's main container; others go by their own."""


@dataclass(frozen=True, order=True)
class Target:
    """What the user names: one thing in the tenant that runs images."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        """The name, with the kind before it as in `SERVICES`, unless it is a service."""
        return self.name if self.kind is Kind.SERVICE else f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class Snapshot:
    """A target as it was at one look.

    `images` maps container names to images; `version` is any text that differs after
    anybody's change; `detail` belongs to the target's kind and is opaque to others.
    `changed_at` is when somebody last changed or restarted it, None when the portal does not say.
    `main` is the main container's own name, where it has one.
    """

    target: Target
    images: Mapping[str, str]
    version: str
    detail: object = field(compare=False)
    changed_at: datetime | None = None
    main: str = ""

    def container(self, name: str) -> str:
        """The key in `images` for a container as people name it."""
        return MAIN if name == self.main and name not in self.images else name


@dataclass(frozen=True)
class Change:
    """What is to become of one target. `images` holds the containers that get a new image.

    `back` holds the images to put back should it fail, None when there is nothing to put back
    or nobody knows. `resumed` marks a change that an earlier run made and did not live to
    follow: it is followed, not sent. `previous_pods` identify what ran before the change, in words of
    the target's kind; `origin` is the target's version before a change that was picked up.
    """

    before: Snapshot
    images: Mapping[str, str]
    back: Mapping[str, str] | None = None
    restart: bool = False
    resumed: bool = False
    previous_pods: frozenset[str] = frozenset()
    origin: str = ""

    @property
    def target(self) -> Target:
        """The target this is about."""
        return self.before.target

    @property
    def wanted(self) -> Mapping[str, str]:
        """Every image of the target once the change has been made."""
        return {**self.before.images, **self.images}

    @property
    def main_image(self) -> str:
        """The image a person would name: the main container's, else the first changed one's."""
        return self.wanted.get(MAIN) or next(iter(self.images.values()), "")

    @property
    def main_image_before(self) -> str:
        """The same before the change."""
        return self.before.images.get(MAIN) or next(iter(self.before.images.values()), "")

    def seen_again(self, snapshot: Snapshot) -> Change:
        """The same change, starting from a fresher look."""
        return replace(self, before=snapshot)


@dataclass(frozen=True)
class Plan:
    """What a run is about to do, as data: it can be printed, compared and skipped."""

    changes: tuple[Change, ...]
    unchanged: tuple[Snapshot, ...] = ()
