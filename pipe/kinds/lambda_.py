"""Lambda functions: updated by image, ready when AWS reports the update as successful."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipe import image
from pipe.clock import Clock
from pipe.errors import Refused
from pipe.kinds.driver import Driver
from pipe.kinds.full_names import check_distinct, full_name, short_name
from pipe.kinds.resource_watcher import ResourceWatcher
from pipe.kinds.send_once import SendOnce
from pipe.model import MAIN, Change, Snapshot, Target
from pipe.portal import Function, TenantPortal
from pipe.rollout import Failed, Ready, Superseded, Verdict, Waiting

_TRIES = 30
"""About two minutes of waiting for an earlier update, which blocks the next one."""


class LambdaDriver(Driver):
    """Reads and changes functions."""

    def __init__(self, portal: TenantPortal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`; the list of functions lacks images, so each one is read by itself."""
        known = [function.name for function in self._portal.functions.list()]
        tenant = self._portal.tenant.name
        named = {target: full_name(target.name, tenant, known) for target in targets}
        found = {target: name for target, name in named.items() if name}
        check_distinct(found)
        return {
            target: _snapshot(target, self._portal.functions.get(name))
            for target, name in found.items()
        }

    def names(self) -> Iterable[str]:
        """See `Driver`; returns the short names that people use."""
        tenant = self._portal.tenant.name
        return [short_name(function.name, tenant) for function in self._portal.functions.list()]

    def prepare(self, changes: Sequence[Change], *, is_urgent: bool = False) -> Sequence[Change]:
        """See `Driver`.

        After a failed update it is uncertain which image the function runs. It is therefore
        updated again, even if the portal already shows the wanted image. So is a function that AWS
        could not start, which nothing else revives.
        """
        del is_urgent
        return [
            replace(change, resumes=None) if detail(change.before).failed else change
            for change in changes
        ]

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        return {snapshot.target: detail(snapshot).settled for snapshot in snapshots}

    def change(self, change: Change) -> None:
        """See `Driver`."""
        before = detail(change.before)

        def has_arrived() -> bool:
            now = self._portal.functions.get(before.name)
            # After a failed update the function shows its previous image again.
            ours = image.same(change.images[MAIN], now.image) or now.status == "Failed"
            return ours and now.version != before.version

        SendOnce(self._clock, _TRIES).send(
            str(change.target),
            lambda: self._portal.functions.update(before.name, change.images[MAIN]),
            has_arrived,
        )

    def watch(
        self, changes: Sequence[Change], stable_seconds: float, crash_limit: int
    ) -> LambdaWatcher:
        """See `Driver`; without pods there is nothing that could stay up."""
        del stable_seconds, crash_limit
        functions = {change.target: detail(change.before) for change in changes}
        return LambdaWatcher(self._portal, changes, functions)


class LambdaWatcher(ResourceWatcher[Function]):
    """Follows updates by the tenant's list of functions, which lacks images.

    A function that the list shows as changed is read by itself, unless its update is in progress:
    the update may be another deployment's, the list may lag behind, and AWS's own list shows no
    status at all.
    """

    _confirmed: frozenset[Target] = frozenset()

    def read(
        self, portal: TenantPortal, changes: Sequence[Change], last: Mapping[Target, Function]
    ) -> Mapping[Target, Function]:
        """See `ResourceWatcher`."""
        listed = {function.name: function for function in portal.functions.list()}
        functions = {}
        for change in changes:
            function = listed.get(last[change.target].name)
            if function is None:
                continue
            if _has_changed(change, function) and function.status != "InProgress":
                function = portal.functions.get(function.name)
                if is_updated(change, function):
                    self._confirmed |= {change.target}
            functions[change.target] = function
        return functions

    def judge(self, change: Change, resource: Function) -> Verdict:
        """See `ResourceWatcher`."""
        return judge(change, resource, confirmed=change.target in self._confirmed)

    def describe(self, change: Change, resource: Function) -> str:
        """See `ResourceWatcher`."""
        current = resource.image or change.images[MAIN]
        if resource.version == detail(change.before).version:
            current = change.before.images[MAIN]
        return f"is set to {current}; status of its last update: {resource.status or 'unknown'}"

    def faults(self, resource: Function) -> tuple[str, ...]:
        """See `ResourceWatcher`; AWS gives a reason for the update and one for the state."""
        return tuple(dict.fromkeys(filter(None, (resource.reason, resource.state_reason))))


def judge(change: Change, now: Function, *, confirmed: bool) -> Verdict:
    """Return the verdict on one update.

    With `confirmed`, the update is complete and `now` is the function as read by itself.
    """
    if confirmed:
        if not image.same(change.images[MAIN], now.image):
            return Superseded(now.image or "no image")
        return Ready("AWS reports the update as successful")
    if not _has_changed(change, now):
        # A failure that it shows is not of this update.
        return Waiting("the portal still shows the previous version of the function")
    if now.status == "Failed":
        return Failed(f"AWS could not update it: {now.reason or 'no reason given'}")
    if now.state == "Failed" and not now.updating:
        return Failed(f"AWS could not start it: {now.state_reason or 'no reason given'}")
    return Waiting("AWS is still updating it")


def is_updated(change: Change, now: Function) -> bool:
    """Return whether an update after the change began has succeeded."""
    return _has_changed(change, now) and now.settled


def detail(snapshot: Snapshot) -> Function:
    """Return the function in a Lambda function's snapshot."""
    if not isinstance(snapshot.detail, Function):
        raise TypeError(snapshot)
    return snapshot.detail


def _has_changed(change: Change, now: Function) -> bool:
    """Return whether the function was updated since; for a resumed change that is certain."""
    return change.resumes is not None or now.version != detail(change.before).version


def _snapshot(target: Target, function: Function) -> Snapshot:
    if function.package == "Zip" or not function.image:
        raise Refused(
            f"The function {function.name} runs no container image but a "
            f"{function.package or 'package of another kind'}.",
            "Name a function whose package type is Image.",
        )
    version = f"{function.image}|{function.version}"
    return Snapshot(target, {MAIN: function.image}, version, function, function.modified)
