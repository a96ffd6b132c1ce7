"""Reading and changing functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipe import image
from pipe.clock import Clock
from pipe.errors import Refused
from pipe.kinds.driver import Driver
from pipe.kinds.lambda_.names import resolve, short
from pipe.kinds.lambda_.watcher import LambdaWatcher, detail
from pipe.kinds.send_once import SendOnce
from pipe.model import MAIN, Change, Snapshot, Target
from pipe.portal import Function, TenantPortal

_TRIES = 30
"""An earlier update blocks the next one: about two minutes of waiting for it."""


class LambdaDriver(Driver):
    """See `Driver`."""

    def __init__(self, portal: TenantPortal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`; only the read of a single function tells its image."""
        known = [function.name for function in self._portal.functions.list()]
        found = {}
        for target in targets:
            if full := resolve(target.name, self._portal.tenant.name, known):
                found[target] = _snapshot(target, self._portal.functions.get(full))
        return found

    def names(self) -> Iterable[str]:
        """See `Driver`; short names, as people use them."""
        tenant = self._portal.tenant.name
        return [short(function.name, tenant) for function in self._portal.functions.list()]

    def prepare(self, changes: Sequence[Change]) -> Sequence[Change]:
        """See `Driver`.

        Where the last update failed, which image the function runs is not certain: it is told
        once more, whatever the portal shows.
        """
        return [
            replace(change, resumes=None) if detail(change.before).status == "Failed" else change
            for change in changes
        ]

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        return {
            snapshot.target: detail(snapshot).status == "Successful"
            and not detail(snapshot).updating
            for snapshot in snapshots
        }

    def change(self, change: Change) -> None:
        """See `Driver`."""
        before = detail(change.before)

        def arrived() -> bool:
            now = self._portal.functions.get(before.name)
            # An update that has failed already shows the image from before, and is no less ours.
            ours = image.same(change.images[MAIN], now.image) or now.status == "Failed"
            return ours and now.version != before.version

        SendOnce(self._clock, _TRIES).send(
            str(change.target),
            lambda: self._portal.functions.update(before.name, change.images[MAIN]),
            arrived,
        )

    def watch(self, changes: Sequence[Change], stable_seconds: float) -> LambdaWatcher:
        """See `Driver`; a function without pods has nothing to stay up."""
        del stable_seconds
        return LambdaWatcher(self._portal, self._clock, changes)


def _snapshot(target: Target, function: Function) -> Snapshot:
    if function.package == "Zip" or not function.image:
        raise Refused(
            f"The function {function.name} runs no container image but a "
            f"{function.package or 'package of another kind'}.",
            "Name a function whose package type is Image.",
        )
    version = f"{function.image}|{function.version}"
    return Snapshot(target, {MAIN: function.image}, version, function)
