"""The verdict on one ECS rollout: a pure function of what was observed and of time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipe.portal import Deployment, EcsService
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict, Waiting

_STALL = 20.0
"""Seconds without any task, after some failed, that are longer than the pause between attempts."""


@dataclass(frozen=True)
class EcsRollout:
    """Everything observed of one service's rollout. Times are monotonic seconds.

    `wanted` and `previous` are revisions, by ARN. `was_set` is true once the service was seen to
    be set to the wanted revision, `was_deployed` once AWS was seen to deploy it. `complete_since`
    and `stalled_since` are None while it is neither.
    """

    wanted: str
    previous: str
    service: EcsService
    started: float
    at: float
    was_set: bool = False
    was_deployed: bool = False
    complete_since: float | None = None
    stalled_since: float | None = None

    @property
    def ours(self) -> Deployment | None:
        """The deployment of the wanted revision."""
        return _deployment_of(self.wanted, self.service)

    @property
    def primary(self) -> Deployment | None:
        """The deployment that AWS is working towards."""
        return next((one for one in self.service.deployments if one.primary), None)


def observe(rollout: EcsRollout, service: EcsService, at: float) -> EcsRollout:
    """Return the rollout with one more look added."""
    ours = _deployment_of(rollout.wanted, service)
    is_stalled = ours is not None and ours.failed > 0 and ours.desired > 0 and _is_empty(ours)
    return replace(
        rollout,
        service=service,
        at=at,
        was_set=rollout.was_set or service.definition == rollout.wanted or ours is not None,
        was_deployed=rollout.was_deployed or ours is not None,
        complete_since=(
            (rollout.complete_since or at) if is_complete(service, rollout.wanted) else None
        ),
        stalled_since=(rollout.stalled_since or at) if is_stalled else None,
    )


def judge(rollout: EcsRollout, stable_seconds: float, deadline: float) -> Verdict:
    """Return the verdict as of the last look; `deadline` is on the same clock."""
    if bad := _superseded(rollout) or _failed(rollout):
        return bad
    if rollout.complete_since is not None:
        until = rollout.complete_since + stable_seconds
        if rollout.at >= until:
            return Ready(f"its deployment is complete, {counts(rollout.ours)}")
        return Waiting(f"complete; must stay so for {stable_seconds:g} s", until=until)
    detail = "AWS has not started the deployment"
    if ours := rollout.ours:
        detail = counts(ours) + (f", {ours.failed} failed" if ours.failed else "")
    stuck = next(iter(rollout.service.events), "") if rollout.stalled_since is not None else ""
    waiting = Waiting(detail, stuck)
    if rollout.at >= deadline:
        return TimedOut.while_waiting(waiting, deadline - rollout.started)
    return waiting


def is_complete(service: EcsService, wanted: str) -> bool:
    """Return whether the deployment of `wanted` is the primary one and complete.

    After a rollback by AWS the previous revision is primary and complete: the ARN decides.
    """
    ours = _deployment_of(wanted, service)
    if ours is None or not ours.primary or service.definition not in ("", wanted):
        return False
    if ours.state:
        return ours.state == "COMPLETED" and ours.running >= ours.desired
    return len(service.deployments) == 1 and ours.running == ours.desired and ours.pending == 0


def counts(deployment: Deployment | None) -> str:
    """Return how many tasks run, in words."""
    if deployment is None:
        return "no tasks"
    return f"{deployment.running} of {deployment.desired} tasks running"


def _superseded(rollout: EcsRollout) -> Superseded | None:
    """Return the verdict on a service that another deployment changed.

    Our own deployment may have failed by then; that is the verdict to return.
    """
    if rollout.ours and rollout.ours.state == "FAILED":
        return None
    primary = rollout.primary
    if primary is not None and primary.definition not in (rollout.wanted, rollout.previous):
        return Superseded(_revision(primary.definition))
    known = (rollout.wanted, rollout.previous, "")
    if rollout.was_set and rollout.service.definition not in known:
        return Superseded(_revision(rollout.service.definition))
    return None


def _failed(rollout: EcsRollout) -> Failed | None:
    ours, primary = rollout.ours, rollout.primary
    if ours and ours.state == "FAILED":
        return Failed(f"its deployment failed: {_reason(ours)}")
    if rollout.was_deployed and primary is not None and primary.definition != rollout.wanted:
        return Failed(f"AWS rolled it back to the previous revision: {_reason(ours or primary)}")
    if rollout.stalled_since is not None and rollout.at - rollout.stalled_since >= _STALL:
        failed = ours.failed if ours else 0
        return Failed(f"no task stays up: {failed} have failed and none is running")
    return None


def _revision(arn: str) -> str:
    return arn.rpartition("/")[2]


def _reason(deployment: Deployment) -> str:
    return deployment.reason.rstrip(".") or "AWS gives no reason"


def _deployment_of(wanted: str, service: EcsService) -> Deployment | None:
    """Return the deployment of a revision, the primary one if there are several."""
    deployments = [one for one in service.deployments if one.definition == wanted]
    return next((one for one in deployments if one.primary), next(iter(deployments), None))


def _is_empty(deployment: Deployment) -> bool:
    return deployment.running == 0 and deployment.pending == 0
