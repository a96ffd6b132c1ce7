"""The watcher that kinds without pods share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from pipe.clock import Deadline
from pipe.model import Change, Target
from pipe.portal import TenantPortal
from pipe.rollout import Evidence, Ready, Superseded, Verdict, Waiting, Watcher

Resource = TypeVar("Resource")


class ResourceWatcher(Watcher, Generic[Resource]):
    """Follows changes of which the portal shows nothing but the changed resources themselves.

    `resources` holds every target's resource as it was before the change. Nothing is read any
    more once every verdict is final.
    """

    def __init__(
        self,
        portal: TenantPortal,
        changes: Iterable[Change],
        resources: Mapping[Target, Resource],
    ) -> None:
        self._portal = portal
        self._changes = {change.target: change for change in changes}
        self._resources = dict(resources)
        self._verdicts: dict[Target, Verdict] = {}

    @abstractmethod
    def read(
        self, portal: TenantPortal, changes: Sequence[Change], last: Mapping[Target, Resource]
    ) -> Mapping[Target, Resource]:
        """Return the resources of these changes as they are now; `last` holds the last look's.

        A target that is absent from the result is waited for: it was deleted, or the list is
        incomplete for a moment.
        """

    @abstractmethod
    def judge(self, change: Change, resource: Resource) -> Verdict:
        """Return the verdict on one change, regardless of the time limit."""

    @abstractmethod
    def describe(self, change: Change, resource: Resource) -> str:
        """Return what the target runs, as the rest of a sentence about it."""

    def faults(self, resource: Resource) -> tuple[str, ...]:
        """Return what the resource reports about its failure."""
        del resource
        return ()

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        pending = [
            change
            for target, change in self._changes.items()
            if not isinstance(self._verdicts.get(target), (Ready, Superseded))
        ]
        read: Mapping[Target, Resource] = {}
        if pending:
            read = self.read(self._portal.until(deadline), pending, self._resources)
            self._resources.update(read)
        for change in pending:
            verdict: Verdict = Waiting("the portal does not list it")
            if change.target in read:
                verdict = self.judge(change, read[change.target])
            self._verdicts[change.target] = verdict
        return dict(self._verdicts)

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        return self.describe(self._changes[target], self._resources[target])

    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        """See `Watcher`."""
        del verdict, deadline
        return Evidence(target, faults=self.faults(self._resources[target]))
