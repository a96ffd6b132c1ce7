"""The verdict on one ECS rollout: a pure function of what is known and of time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipe.portal import Deployment, EcsService
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict, Waiting

_STALL = 20.0
"""Seconds without any task, after some have failed, that are no mere pause before the next."""


@dataclass(frozen=True)
class EcsRollout:
    """What looks at one service add up to. Times are monotonic seconds.

    `wanted` and `before` are revisions, by ARN. `complete_since` and `stalled_since` are None
    while that is not so; `took` once the service was seen to ask for the wanted revision,
    `appeared` once AWS was seen to deploy it.
    """

    wanted: str
    before: str
    service: EcsService
    at: float
    took: bool = False
    appeared: bool = False
    complete_since: float | None = None
    stalled_since: float | None = None


def fold(track: EcsRollout, service: EcsService, at: float) -> EcsRollout:
    """What is known after one more look."""
    ours = _ours(service, track.wanted)
    stalled = ours is not None and ours.failed > 0 and ours.desired > 0 and _is_empty(ours)
    complete = is_complete(service, track.wanted)
    return replace(
        track,
        service=service,
        at=at,
        took=track.took or service.definition == track.wanted or ours is not None,
        appeared=track.appeared or ours is not None,
        complete_since=(track.complete_since or at) if complete else None,
        stalled_since=(track.stalled_since or at) if stalled else None,
    )


def judge(track: EcsRollout, stable_seconds: float, deadline: float) -> Verdict:
    """Judge what `track` holds at its moment; `deadline` is on the same clock."""
    if bad := _failure(track):
        return bad
    if track.complete_since is not None:
        until = track.complete_since + stable_seconds
        if track.at >= until:
            return Ready(f"its deployment is complete, {counts(_ours_of(track))}")
        return Waiting(f"complete; staying so for {stable_seconds:g} s", until=until)
    waiting = "AWS has not begun the deployment"
    if ours := _ours_of(track):
        waiting = counts(ours) + (f", {ours.failed} failed" if ours.failed else "")
    stuck = next(iter(track.service.events), "") if track.stalled_since is not None else ""
    if track.at >= deadline:
        return TimedOut(f"{waiting}; {stuck}" if stuck else waiting)
    return Waiting(waiting, stuck)


def is_complete(service: EcsService, wanted: str) -> bool:
    """Whether `wanted` is the primary deployment and all there is.

    After a rollback by AWS the revision from before is primary and complete: the ARN decides.
    """
    ours = _ours(service, wanted)
    if ours is None or not ours.primary or service.definition not in ("", wanted):
        return False
    if ours.state:
        return ours.state == "COMPLETED" and ours.running >= ours.desired
    return len(service.deployments) == 1 and ours.running == ours.desired and ours.pending == 0


def counts(deployment: Deployment | None) -> str:
    """How many tasks run, for people."""
    if deployment is None:
        return "no tasks"
    return f"{deployment.running} of {deployment.desired} tasks running"


def _failure(track: EcsRollout) -> Verdict | None:
    ours, primary = _ours_of(track), _primary(track.service)
    if ours and ours.state == "FAILED":
        return Failed(f"its deployment failed: {_why(ours)}")
    elsewhere = primary is not None and primary.definition not in (track.wanted, track.before)
    if elsewhere or (track.took and track.service.definition not in _either(track)):
        theirs = primary.definition if elsewhere and primary else track.service.definition
        return Superseded(theirs.rpartition("/")[2])
    if track.appeared and primary is not None and primary.definition != track.wanted:
        return Failed(f"AWS rolled it back to the revision before: {_why(ours or primary)}")
    if track.stalled_since is not None and track.at - track.stalled_since >= _STALL:
        failed = ours.failed if ours else 0
        return Failed(f"no task stays up: {failed} have failed and none runs")
    return None


def _why(deployment: Deployment) -> str:
    return deployment.reason.rstrip(".") or "AWS gives no reason"


def _either(track: EcsRollout) -> tuple[str, ...]:
    return (track.wanted, track.before, "")


def _ours_of(track: EcsRollout) -> Deployment | None:
    return _ours(track.service, track.wanted)


def _ours(service: EcsService, wanted: str) -> Deployment | None:
    """The deployment of the wanted revision; the primary one, should there be several."""
    found = [one for one in service.deployments if one.definition == wanted]
    return next((one for one in found if one.primary), next(iter(found), None))


def _primary(service: EcsService) -> Deployment | None:
    return next((one for one in service.deployments if one.primary), None)


def _is_empty(deployment: Deployment) -> bool:
    return deployment.running == 0 and deployment.pending == 0
