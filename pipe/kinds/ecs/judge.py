"""The verdict on one ECS rollout: a pure function of what was observed and of time."""

from __future__ import annotations

from collections import Counter

from pipe.kinds.ecs import reasons
from pipe.kinds.ecs.rollout import EcsRollout, revision
from pipe.portal import Deployment
from pipe.rollout import Failed, Ready, Superseded, Verdict, Waiting
from pipe.secret import clause


def judge(rollout: EcsRollout, stable_seconds: float, crash_limit: int) -> Verdict:
    """Return the verdict as of the last look, regardless of the time limit.

    With a `crash_limit` of 0, tasks that end are waited for.
    """
    bad = _superseded(rollout) or _failed(rollout, crash_limit)
    return bad or _progress(rollout, stable_seconds)


def state(rollout: EcsRollout) -> str:
    """Return the image the service is set to, and its tasks by image, in words."""
    service = rollout.service
    listed = [one for one in service.deployments if one.running or one.primary]
    names = Counter(rollout.name(arn) for arn in {one.definition for one in listed})

    def name(arn: str) -> str:
        image = rollout.name(arn)
        return f"{image} ({revision(arn)})" if names[image] > 1 else image

    running = ", ".join(f"{counts(one)} on {name(one.definition)}" for one in listed)
    return f"is set to {name(service.definition)}, with {running or 'no deployment'}"


def counts(deployment: Deployment) -> str:
    """Return how many tasks run, in words; AWS keeps none of a deployment that it replaces."""
    number, desired = deployment.running, deployment.desired
    if not deployment.primary:
        return f"{_tasks(number)} running"
    return f"{number} of {_tasks(desired)} running"


def _progress(rollout: EcsRollout, stable_seconds: float) -> Waiting | Ready:
    ours = rollout.ours
    if rollout.complete_since is not None and ours is not None:
        until = rollout.complete_since + stable_seconds
        if rollout.at < until:
            return Waiting(f"complete; must stay so for {stable_seconds:g} s", until=until)
        if ours.desired == 0:
            return Ready("its deployment is complete; its number of tasks is set to 0")
        return Ready(f"its deployment is complete, {counts(ours)}")
    if not rollout.listed:
        return Waiting("the portal does not list it")
    detail = "AWS has not started the deployment"
    if ours is not None:
        detail = counts(ours) + (f", {rollout.crashes} failed" if rollout.crashes else "")
    is_short = ours is None or ours.running < ours.desired
    return Waiting(detail, rollout.cause if is_short else "")


def _superseded(rollout: EcsRollout) -> Superseded | None:
    """Return the verdict on a service that another deployment changed.

    Our own deployment may have failed by then; that is the verdict to return. A deployment from
    before the change that is primary again is AWS's rollback, to the last one that completed.
    """
    if rollout.ours and rollout.ours.state == "FAILED":
        return None
    known = {rollout.wanted, *rollout.previous, ""}
    primary = rollout.service.primary
    if primary and primary.definition not in known and primary.id not in rollout.past:
        return Superseded(rollout.name(primary.definition))
    if rollout.was_set and rollout.service.definition not in known and not _is_rolled_back(rollout):
        return Superseded(rollout.name(rollout.service.definition))
    if replaced := _replaced(rollout):
        return Superseded(rollout.name(replaced.definition), replaced=True)
    return None


def _replaced(rollout: EcsRollout) -> Deployment | None:
    """Return another deployment that began between the last look and our change, if any."""
    if not rollout.was_deployed:
        return None
    known = {rollout.wanted, *rollout.previous}
    return next(
        (
            one
            for one in rollout.service.deployments
            if one.id and one.id not in rollout.past and one.definition not in known
        ),
        None,
    )


def _failed(rollout: EcsRollout, crash_limit: int) -> Failed | None:
    ours, primary = rollout.ours, rollout.service.primary
    if ours and ours.state == "FAILED":
        return Failed(f"its deployment failed: {_because(rollout, _reason(ours))}")
    if primary and _is_rolled_back(rollout):
        reason = _because(rollout, _reason(ours or primary))
        return Failed(f"AWS rolled it back to {rollout.name(primary.definition)}: {reason}")
    if rollout.complete_since is not None:
        return None
    if absent := next(filter(reasons.is_image_absent, rollout.crashed.values()), None):
        return Failed(f"its image cannot be pulled: {reasons.why(absent)}")
    crashes, desired = rollout.crashes, max(1, ours.desired if ours else 1)
    if rollout.service.has_breaker and crashes <= rollout.failed:
        # AWS counts these itself, and then rolls back or not: only its decision shows which.
        return None
    # As soon as one of the tasks side by side must have ended for the n-th time.
    if crash_limit and crashes > (crash_limit - 1) * desired:
        return Failed(f"no stable start: {_because(rollout, f'{_tasks(crashes)} have failed')}")
    return None


def _is_rolled_back(rollout: EcsRollout) -> bool:
    primary = rollout.service.primary
    return rollout.was_deployed and primary is not None and primary.definition != rollout.wanted


def _because(rollout: EcsRollout, reason: str) -> str:
    """Return a reason together with why tasks stopped."""
    cause = rollout.cause
    return f"{reason}; {cause}" if cause and cause not in reason else reason


def _reason(deployment: Deployment) -> str:
    return clause(deployment.reason) or "AWS gives no reason"


def _tasks(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"
