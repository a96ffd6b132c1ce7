"""Following updates of functions by the tenant's list of them.

The list does not tell images. A function that has been updated is therefore read by itself
once, at the end: somebody else may have been the one who updated it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipe import image
from pipe.clock import Clock, Deadline
from pipe.model import MAIN, Change, Snapshot, Target
from pipe.portal import Function, TenantPortal
from pipe.rollout import (
    Evidence,
    Failed,
    PodCounts,
    Ready,
    Superseded,
    TimedOut,
    Verdict,
    Waiting,
    Watcher,
)


class LambdaWatcher(Watcher):
    """See `Watcher`."""

    def __init__(self, portal: TenantPortal, clock: Clock, changes: Sequence[Change]) -> None:
        self._portal = portal
        self._clock = clock
        self._changes = {change.target: change for change in changes}
        self._seen = {change.target: detail(change.before) for change in changes}
        self._proven: dict[Target, Function] = {}

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        if len(self._proven) < len(self._changes):
            self._take_in(self._portal.until(deadline))
        late = self._clock.monotonic() >= deadline.at
        return {target: self._judge(target, late=late) for target in self._changes}

    def _take_in(self, portal: TenantPortal) -> None:
        listed = {function.name: function for function in portal.functions.list()}
        for target, change in self._changes.items():
            if target in self._proven:
                continue
            function = listed.get(self._seen[target].name, self._seen[target])
            self._seen[target] = function
            if _is_done(change, function):
                # The list may lag behind; the single read is the one to believe.
                single = portal.functions.get(function.name)
                self._seen[target] = single
                if _is_done(change, single):
                    self._proven[target] = single

    def _judge(self, target: Target, *, late: bool) -> Verdict:
        return judge(self._changes[target], self._seen[target], self._proven.get(target), late=late)

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        function = self._seen[target]
        shown = function.image or self._changes[target].images[MAIN]
        if function.version == detail(self._changes[target].before).version:
            shown = self._changes[target].before.images[MAIN]
        return f"has {shown}; its last update: {function.status or 'unknown'}"

    def evidence(self, target: Target, verdict: Verdict) -> Evidence:
        """See `Watcher`; AWS gives one reason."""
        del verdict
        reason = self._seen[target].reason
        return Evidence(target, faults=(reason,) if reason else ())

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`; there are no pods to count."""
        del target
        return ()


def judge(change: Change, now: Function, proven: Function | None, *, late: bool) -> Verdict:
    """The verdict on one update, `now` as listed, `proven` as read by itself when it was done."""
    if proven is not None:
        if not image.same(change.images[MAIN], proven.image):
            return Superseded(proven.image)
        return Ready("AWS reports the update as successful")
    if _has_changed(change, now) and now.status == "Failed":
        return Failed(f"AWS could not update it: {now.reason or 'no reason given'}")
    if now.state == "Failed":
        return Failed(f"AWS could not start it: {now.reason or 'no reason given'}")
    waiting = "AWS is still updating it"
    if not _has_changed(change, now):
        waiting = "the portal still shows the function from before"
    return TimedOut(waiting) if late else Waiting(waiting)


def detail(snapshot: Snapshot) -> Function:
    """The part of a function's snapshot that only this kind can read."""
    if not isinstance(snapshot.detail, Function):
        raise TypeError(snapshot)
    return snapshot.detail


def _has_changed(change: Change, now: Function) -> bool:
    """Whether `now` is no longer the function from before; a picked-up change was made earlier."""
    return change.resumes is not None or now.version != detail(change.before).version


def _is_done(change: Change, now: Function) -> bool:
    return _has_changed(change, now) and now.status == "Successful" and not now.updating
