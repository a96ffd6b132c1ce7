"""The interface of a driver: how targets of one kind are read and changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence

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
        """Make the change once; after a lost reply, read the target before sending it again."""

    @abstractmethod
    def watch(self, changes: Sequence[Change], stable_seconds: float, crash_limit: int) -> Watcher:
        """Start to follow changes that have just been made.

        A container that ends `crash_limit` times cannot start; 0 means no limit.
        """

    def look_closer(self, changes: Sequence[Change]) -> None:
        """Gain access to what these changes are followed by, before anything is changed.

        Raises `PlatformError` where access is required and refused.
        """
        del changes

    def prepare(self, changes: Sequence[Change], *, is_urgent: bool = False) -> Sequence[Change]:
        """Return the changes with what distinguishes previous pods from new ones later.

        With `is_urgent`, no read takes longer than some seconds: a bad version is running.
        """
        del is_urgent
        return changes

    def renewed(self, change: Change, fresh: Snapshot) -> Change:
        """Return a prepared change based on a fresher look, for the write to be built from."""
        return change.with_snapshot(fresh)

    def address(self, snapshot: Snapshot) -> str:
        """Return the scheme and host users reach the target at, empty when unknown."""
        del snapshot
        return ""

    def previous_images(
        self, snapshot: Snapshot, containers: Collection[str] = ()
    ) -> Mapping[str, str] | None:
        """Return the images before the present ones, None where the portal keeps no history.

        With `containers`, only theirs.
        """
        del snapshot, containers
        return None
