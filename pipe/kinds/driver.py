"""The interface of a driver: what every kind of target must be able to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from pipe.model import Change, Snapshot, Target
from pipe.rollout import Watcher


class Driver(ABC):
    """Reads and changes targets of one kind; `change` may be called from several threads."""

    @abstractmethod
    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """Return the present state; targets that do not exist are absent."""

    @abstractmethod
    def names(self) -> Iterable[str]:
        """Return the name of every target there is, for suggesting the right one."""

    @abstractmethod
    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """Return for each target whether it fully runs what it is set to."""

    @abstractmethod
    def change(self, change: Change) -> None:
        """Make the change once; after a lost reply, look before sending it again."""

    @abstractmethod
    def watch(self, changes: Sequence[Change], stable_seconds: float) -> Watcher:
        """Begin to follow changes that have just been made."""

    def prepare(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Return the changes with everything that will tell old pods from new ones."""
        return changes

    def address(self, snapshot: Snapshot) -> str:
        """Return the scheme and host users reach the target at, empty when unknown."""
        del snapshot
        return ""

    def previous_images(self, snapshot: Snapshot) -> Mapping[str, str] | None:
        """Return the images before the present ones, None where the portal keeps no history."""
        del snapshot
        return None
