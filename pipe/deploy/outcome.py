"""What verdicts, failed tests and rollbacks mean for the run: pure decisions and their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipe import image
from pipe.configuration import describe
from pipe.deploy.current_state import MAX_LISTED
from pipe.deploy.rollback import RollbackOutcome, TargetRollback
from pipe.deploy_tests import DeployTestResult
from pipe.errors import (
    ISSUES,
    ConfigError,
    Conflict,
    DeployFailed,
    ExitCode,
    PipeError,
    PlatformError,
)
from pipe.model import MAIN, Change, Plan, Restart, Target, Update
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict, words
from pipe.secret import clause
from pipe.settings import ImageRequest


def nothing_to_do(plan: Plan, requests: Sequence[ImageRequest]) -> str:
    """Return the sentence for a plan without changes, with a hint for a tag that may have moved."""
    unchanged = {snapshot.target: snapshot for snapshot in plan.unchanged}
    parts = []
    for request in requests:
        now = unchanged[request.target]
        container = now.container(request.container)
        parts.append(f"{now.shown(container)} already runs {now.images.get(container, '')}")
    moving = [request for request in requests if request.image.may_move]
    hint = f" {_pull_again(moving)}" if moving else ""
    return f"Nothing to change: {', '.join(parts)}.{hint}"


def success(changes: Sequence[Change], verdicts: Mapping[Target, Verdict]) -> str:
    """Return the sentence for rollouts that all succeeded."""
    if len(changes) > MAX_LISTED:
        listed = ", ".join(
            f"{change.before.shown(name)} {new}"
            for change in changes
            for name, new in change.images.items()
        )
        return f"All {len(changes)} targets run what was requested: {listed}."
    return f"{'; '.join(_success(change, verdicts[change.target]) for change in changes)}."


def failed_rollouts(verdicts: Mapping[Target, Verdict]) -> Mapping[Target, Failed | TimedOut]:
    """Return the verdicts that make the run fail."""
    return {
        target: verdict
        for target, verdict in verdicts.items()
        if isinstance(verdict, (Failed, TimedOut))
    }


def superseded(verdicts: Mapping[Target, Verdict]) -> frozenset[Target]:
    """Return the targets that another deployment changed meanwhile."""
    return frozenset(
        target for target, verdict in verdicts.items() if isinstance(verdict, Superseded)
    )


def rollout_error(verdicts: Mapping[Target, Verdict], advice: str) -> PipeError | None:
    """Return the error that the verdicts deserve, None when every rollout succeeded.

    A failure outweighs a conflict.
    """
    if failed := failed_rollouts(verdicts):
        reasons = "; ".join(
            f"{target}: {clause(words(verdict))}" for target, verdict in failed.items()
        )
        return DeployFailed(ExitCode.FAILED, f"{reasons}.", advice)
    for target, verdict in verdicts.items():
        if isinstance(verdict, Superseded):
            stays = "this run's version stays" if verdict.replaced else "this run leaves it alone"
            theirs = "their" if verdict.replaced else "your"
            return Conflict(
                f"{target}: {words(verdict)}; {stays}.",
                f"Find out who deploys it. Run {theirs} step again if that version is to serve.",
            )
    return None


def deploy_test_error(failed: DeployTestResult, advice: str) -> DeployFailed:
    """Return the error for a test that failed after a rollout that succeeded."""
    remedy = f"The test did not run. {failed.remedy}" if failed.remedy else ""
    return DeployFailed(
        ExitCode.FAILED,
        f"The rollout succeeded, but {failed.name} {failed.message}.",
        remedy or f"The test's output is above. {advice}",
    )


def advice(made: Sequence[Change], *, rollback: bool) -> str:
    """Return what to do about a version that does not work; `rollback` is the setting."""
    foreign = [str(change.target) for change in made if not change.is_ours]
    if rollback and foreign:
        return (
            f"Not rolled back, because nothing shows that this step deployed it: "
            f"{', '.join(foreign)}. Fix the image and deploy it again, or restore the previous "
            "version with ACTION: 'rollback'."
        )
    if not rollback and any(change.sets for change in made):
        return (
            "Fix the image or its configuration and deploy them again. ROLLBACK: 'true' restores "
            "both automatically."
        )
    known = [change for change in made if isinstance(change, Update) and change.rollback_to]
    if rollback or not known:
        return "Fix the image and deploy it again."
    if len(known) > 1:
        return (
            "Fix the images, or restore the previous versions with ACTION: 'rollback'. "
            "ROLLBACK: 'true' does that automatically."
        )
    fix = "Fix the image" if len(known[0].images) == 1 else "Fix the images"
    return (
        f"{fix}, or restore the previous version with {_variables(known[0])}. "
        "ROLLBACK: 'true' does that automatically."
    )


def lost_sight(error: PipeError) -> PlatformError:
    """Return the error for a rollout that cannot be followed because of `error`."""
    return PlatformError(
        f"The change was made, but its rollout cannot be followed: {error.diagnosis}",
        error.remedy,
    )


def after_change(error: Exception) -> PipeError:
    """Return the error that `error` amounts to once a target was changed.

    Some exit codes promise that nothing was changed; a defect would promise nothing at all.
    """
    match error:
        case DeployFailed() | Conflict() | PlatformError():
            return error
        case ConfigError():
            diagnosis = "; ".join(
                f"{problem.variable} {problem.what}" for problem in error.problems
            )
            remedy = " ".join(f"{problem.fix}." for problem in error.problems if problem.fix)
            diagnosis = f"{diagnosis}."
        case PipeError():
            diagnosis, remedy = error.diagnosis, error.remedy
        case _:
            diagnosis = f"this is a defect of the pipe ({type(error).__name__})."
            remedy = f"Check the targets in the portal, and report the traceback above: {ISSUES}"
    return DeployFailed(
        ExitCode.FAILED, f"The deploy stopped after the change: {diagnosis}", remedy
    )


def rollback_error(
    error: PipeError, rollbacks: Sequence[TargetRollback], *, any_superseded: bool
) -> PipeError:
    """Return the error that `error` turns into once the targets were rolled back."""
    outcomes = {rollback.outcome for rollback in rollbacks}
    parts = "; ".join(
        f"{rollback.change.target}: {clause(rollback.message)}" for rollback in rollbacks
    )
    if outcomes == {RollbackOutcome.RESTORED} and not any_superseded:
        return DeployFailed(
            ExitCode.RESTORED,
            f"{error.diagnosis} Rolled back to the previous version and verified: {parts}.",
            error.remedy,
        )
    if RollbackOutcome.FAILED not in outcomes:
        return Conflict(f"{error.diagnosis} During the rollback: {parts}.", error.remedy)
    return DeployFailed(
        ExitCode.NOT_RESTORED,
        f"{error.diagnosis} Rollback failed: {parts}.",
        "Check the targets in the portal now.",
    )


def _pull_again(requests: Sequence[ImageRequest]) -> str:
    """Return how to deploy what a tag names now, where the platform shows only the tag."""
    tags = " and ".join(dict.fromkeys(request.image.tag for request in requests))
    restart = all(request.target.kind.capabilities.can_restart for request in requests)
    pull = "RESTART: 'true' pulls it again; " if restart else ""
    return (
        f"If {tags} was pushed again since, {pull}PIN_DIGEST: 'true' deploys the image that the "
        "tag names now."
    )


def _variables(change: Update) -> str:
    """Return the variable that restores the previous images."""
    images = change.rollback_to or {}
    if images.keys() == {MAIN}:
        return f"IMAGE: '{images[MAIN]}'"
    entries = (f"{change.before.shown(name)}={image}" for name, image in images.items())
    return f"SERVICES: '{' '.join(entries)}' (instead of SERVICE and IMAGE)"


def _success(change: Change, verdict: Verdict) -> str:
    detail = verdict.detail if isinstance(verdict, Ready) else words(verdict)
    if isinstance(change, Restart):
        return f"{change.target} was restarted on {change.image}: {detail}"
    before = {} if change.resumes else change.before.images
    changed = [f" with {one}" for one in describe(change.before.present, change.sets)]
    runs = (
        f"{change.before.shown(name)} runs {new}"
        + (f" (previously {before[name]})" if _differs(new, before.get(name, new)) else "")
        for name, new in change.images.items()
    )
    return f"{', '.join(runs)}{''.join(changed)}: {detail}"


def _differs(new: str, before: str) -> bool:
    return not image.same(new, before)
