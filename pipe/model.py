"""The types that every part of the pipe shares: target, snapshot, change and plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from pipe.configuration import Configuration, Present
from pipe.target import MAIN, Target

__all__ = [
    "MAIN",
    "Change",
    "Plan",
    "Restart",
    "Resumption",
    "Snapshot",
    "Target",
    "Update",
]


@dataclass(frozen=True)
class Snapshot:
    """A target as one look found it.

    `images` maps container names to images. `version` is any text that differs after every
    change, no matter who made it. `detail` belongs to the target's kind and is opaque to all
    others. `changed_at` is the time of the last change or restart, None when the portal does not
    report it; `images_set_at` and `images_set_by` are time and user of the last change of images.
    `main` is the main container's own name, where it has one. `present` holds the environments
    and the number of replicas.
    """

    target: Target
    images: Mapping[str, str]
    version: str
    detail: object = field(compare=False)
    changed_at: datetime | None = None
    main: str = ""
    images_set_at: datetime | None = None
    images_set_by: str = ""
    present: Present = field(default_factory=Present, compare=False, repr=False)

    def shown(self, container: str) -> str:
        """Return a container's name as in `SERVICES`: that of the target for the main one."""
        return f"{self.target}/{container}" if container else str(self.target)

    def container(self, name: str) -> str:
        """Return the key in `images` for a container as people name it."""
        return MAIN if name == self.main and name not in self.images else name


@dataclass(frozen=True)
class Resumption:
    """A change that an earlier run made but did not live to follow.

    It is followed, not sent again. `version` is the target's version from before that change,
    empty when no record holds it. With `is_proven`, a record or the portal's history shows
    that an earlier run of this step made the change; no other may be rolled back.
    """

    version: str = ""
    is_proven: bool = False


@dataclass(frozen=True)
class _TargetChange:
    """What an update and a restart have in common.

    `images` holds the images, by container, that the target must run afterwards. `resumes` is
    None for a change that this run makes. `previous_pods` identifies the pods from before the
    change, in terms of the target's kind.
    """

    before: Snapshot
    images: Mapping[str, str]
    resumes: Resumption | None = None
    previous_pods: frozenset[str] = frozenset()

    @property
    def target(self) -> Target:
        """The target of this change."""
        return self.before.target

    @property
    def wanted(self) -> Mapping[str, str]:
        """Every image of the target once the change has been made."""
        return {**self.before.images, **self.images}

    @property
    def image(self) -> str:
        """The image to name to people: the main container's if it changes, else the first."""
        return self.wanted.get(self._named, "")

    @property
    def previous_image(self) -> str:
        """The image of the same container before the change, empty if it had none."""
        return self.before.images.get(self._named, "")

    @property
    def previous_version(self) -> str:
        """The target's version from before the change, also where an earlier run made it."""
        return (self.resumes and self.resumes.version) or self.before.version

    @property
    def _named(self) -> str:
        """The container whose image stands for the change where only one is shown."""
        return MAIN if MAIN in self.images else next(iter(self.images), MAIN)

    @property
    def is_ours(self) -> bool:
        """Whether this run makes the change, or provably an earlier run of this step did."""
        return self.resumes is None or self.resumes.is_proven

    @property
    def sets(self) -> Configuration:
        """What the change sets besides images."""
        return Configuration()

    @property
    def renews_pods(self) -> bool:
        """Whether pods from before the change are replaced even if they run its images."""
        return True

    def with_snapshot(self, snapshot: Snapshot) -> Self:
        """Return the same change based on a fresher look."""
        return replace(self, before=snapshot)


@dataclass(frozen=True)
class Update(_TargetChange):
    """Containers of a target get other images or another configuration, or both.

    `rollback_to` holds the images to restore should it fail, None when they are unknown.
    `surviving_pods` identifies pods that are known to run what a rollback restores.
    `configuration` is set in the same write as the images; `former` is the look whose
    configuration a rollback restores. With `configuration_is_lost`, an earlier run of this step
    changed the configuration too, or may have, and the one from before is unknown.
    """

    rollback_to: Mapping[str, str] | None = None
    surviving_pods: frozenset[str] = frozenset()
    configuration: Configuration = field(default_factory=Configuration)
    former: Snapshot | None = None
    configuration_is_lost: bool = False

    @property
    def sets(self) -> Configuration:
        """See `_TargetChange`."""
        return self.configuration

    @property
    def renews_pods(self) -> bool:
        """See `_TargetChange`; a number of replicas renews none."""
        return bool(self.configuration.environment)


@dataclass(frozen=True)
class Restart(_TargetChange):
    """A target's pods are replaced; its images stay, so there is nothing to roll back to."""


Change = Update | Restart


@dataclass(frozen=True)
class Plan:
    """What a run is about to do, as data that can be printed, compared and skipped."""

    changes: tuple[Change, ...]
    unchanged: tuple[Snapshot, ...] = ()
