"""The truth table of ECS rollouts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipe.kinds.ecs import reasons
from pipe.kinds.ecs.judge import judge, state
from pipe.kinds.ecs.rollout import EcsRollout, has_lost_tasks, observe, start, with_tasks
from pipe.kinds.ecs.snapshot import current_revision
from pipe.portal import Deployment, EcsService, EcsTask, Event, TaskContainer
from pipe.rollout import Failed, Ready, Superseded, Verdict, Waiting

FAMILY = "arn:aws:ecs:us-west-2:1:task-definition/duploservices-dev01-api"
OLD, NEW, OTHER = f"{FAMILY}:1", f"{FAMILY}:2", f"{FAMILY}:3"
IMAGES = {OLD: "team/api:1", NEW: "team/api:2", OTHER: "team/api:3"}
EARLIER, NOON, LATER = (datetime(2026, 2, 3, hour, tzinfo=UTC) for hour in (7, 12, 13))
DEADLINE = 900.0


def deployment(arn: str, number: int, state: str = "IN_PROGRESS", **fields: Any) -> Deployment:
    """Return a deployment of two running tasks; those of the old revision are older."""
    plain = Deployment(
        id=f"ecs-svc/{number}",
        created=EARLIER if arn == OLD else NOON,
        definition=arn,
        primary=False,
        state=state,
        reason="",
        desired=2,
        running=2,
        pending=0,
        failed=0,
    )
    return replace(plain, **fields)


PREVIOUS = deployment(OLD, 1, "COMPLETED")
STARTING = deployment(NEW, 2, primary=True, running=0, pending=2)
RUNNING = deployment(NEW, 2, primary=True)
DONE = deployment(NEW, 2, "COMPLETED", primary=True)
BROKEN = deployment(NEW, 2, "FAILED", running=0, failed=4, reason="circuit breaker.")


def service(*deployments: Deployment, definition: str = NEW, events: Any = ()) -> EcsService:
    """Return a service that is set to a revision."""
    return EcsService("api", "api", definition, deployments, tuple(events), {})


BEFORE = service(replace(PREVIOUS, primary=True), definition=OLD)


def watch(
    *looks: EcsService, before: EcsService = BEFORE, to: str = NEW, resumed: bool = False
) -> EcsRollout:
    """Return what was observed at these looks, one a second."""
    previous = {before.definition}
    rollout = start(before, to, previous, 0.0, container="api", images=IMAGES, resumed=resumed)
    for second, look in enumerate(looks, 1):
        rollout = observe(rollout, look, float(second))
    return rollout


def verdict(rollout: EcsRollout, stable: float = 0.0, limit: int = 3) -> Verdict:
    """Return the verdict on what was observed."""
    return judge(rollout, stable, limit)


def task(name: str, code: str, reason: str = "", *containers: TaskContainer) -> EcsTask:
    """Return a task of the new deployment that stopped."""
    return EcsTask(name, NEW, "ecs-svc/2", True, code, reason, containers)


def exited(name: str, exit_code: int = 1, reason: str = "") -> EcsTask:
    """Return a task whose container ended."""
    what = "Essential container in task exited"
    return task(name, "EssentialContainerExited", what, TaskContainer("api", exit_code, reason))


# Forward


def test_a_complete_deployment_is_ready_once_it_is_stable() -> None:
    """The moment at which it will be is known before."""
    assert verdict(watch(service(DONE)), 5.0) == Waiting("complete; must stay so for 5 s", "", 6.0)
    looks = [service(DONE)] * 6
    assert isinstance(verdict(watch(*looks), 5.0), Ready)


def test_nothing_is_ready_before_aws_starts_the_deployment() -> None:
    """The previous one is primary and complete until then."""
    late = service(replace(PREVIOUS, primary=True))
    assert verdict(watch(late)) == Waiting("AWS has not started the deployment")


def test_a_service_scaled_to_nothing_is_ready() -> None:
    """No task would ever start."""
    nothing = replace(DONE, desired=0, running=0)
    result = verdict(watch(service(nothing)))
    assert result == Ready("its deployment is complete; its number of tasks is set to 0")


def test_a_task_that_ends_after_completion_is_waited_for() -> None:
    """AWS goes on to call the deployment completed."""
    assert isinstance(verdict(watch(service(DONE), service(replace(DONE, running=1)))), Waiting)


@pytest.mark.parametrize(("left", "kind"), [(1, Waiting), (0, Ready)])
def test_without_a_rollout_state_the_previous_tasks_must_be_gone(left: int, kind: type) -> None:
    """Services behind a Classic Load Balancer have no state; an empty deployment may stay."""
    ours, theirs = replace(RUNNING, state=""), replace(PREVIOUS, state="", running=left)
    assert isinstance(verdict(watch(service(ours, theirs))), kind)


def test_a_service_that_is_no_longer_listed_is_not_ready() -> None:
    """It was deleted, or the list is incomplete for a moment."""
    rollout = observe(watch(service(DONE)), None, 20.0)
    assert verdict(rollout) == Waiting("the portal does not list it")
    assert isinstance(verdict(observe(rollout, service(DONE), 21.0)), Ready)


def test_of_two_deployments_of_the_revision_the_primary_one_decides() -> None:
    """A forced deployment begins another one of the same revision."""
    forced = replace(RUNNING, id="ecs-svc/3")
    assert isinstance(verdict(watch(service(forced, replace(DONE, primary=False)))), Waiting)


# Rollbacks by AWS and by the run


def test_a_deployment_that_failed_is_a_failure_with_its_reason() -> None:
    """Whether or not AWS rolls back."""
    result = verdict(watch(service(replace(BROKEN, primary=True))))
    assert result == Failed("its deployment failed: circuit breaker")


def test_a_failure_between_two_looks_is_found() -> None:
    """Our deployment was never seen as the primary one, but it is new."""
    result = verdict(watch(service(BROKEN, replace(PREVIOUS, primary=True), definition=OLD)))
    assert isinstance(result, Failed)


def test_a_rollback_by_aws_is_a_failure_after_the_failed_deployment_is_gone() -> None:
    """Nothing but the previous deployment is left then."""
    looks = service(STARTING, PREVIOUS), service(replace(PREVIOUS, primary=True), definition=OLD)
    result = verdict(watch(*looks))
    assert isinstance(result, Failed)
    assert "AWS rolled it back to team/api:1" in result.reason


def test_a_rollback_by_aws_to_an_older_revision_is_not_another_deployment() -> None:
    """AWS returns to the last deployment that completed, which may be older than the previous."""
    older = deployment(OTHER, 7, "COMPLETED")
    before = service(replace(PREVIOUS, primary=True), older, definition=OLD)
    looks = service(STARTING, PREVIOUS, older), service(replace(older, primary=True))
    result = verdict(watch(*looks, before=before))
    assert isinstance(result, Failed)
    assert "AWS rolled it back to team/api:3" in result.reason


def test_a_rollback_to_a_listed_revision_is_not_condemned_by_the_first_look() -> None:
    """The previous revision's deployment is listed until its tasks are replaced."""
    bad = replace(RUNNING, running=0)
    before = service(bad, PREVIOUS)
    same = service(bad, PREVIOUS, definition=OLD)
    back = replace(PREVIOUS, id="ecs-svc/3", primary=True)
    assert isinstance(verdict(watch(same, before=before, to=OLD)), Waiting)
    done = service(back, definition=OLD)
    assert isinstance(verdict(watch(same, done, before=before, to=OLD)), Ready)


def test_a_rollback_may_use_the_previous_deployment_itself() -> None:
    """AWS names an earlier deployment as the one it rolls back to."""
    bad = replace(RUNNING, running=0)
    done = service(replace(PREVIOUS, primary=True), definition=OLD)
    assert isinstance(verdict(watch(done, before=service(bad, PREVIOUS), to=OLD)), Ready)


def test_a_failed_deployment_of_the_previous_revision_is_not_the_rollback() -> None:
    """It failed before; the rollback begins another one."""
    before = service(RUNNING, deployment(OLD, 1, "FAILED"))
    look = service(RUNNING, deployment(OLD, 1, "FAILED"), definition=OLD)
    assert isinstance(verdict(watch(look, before=before, to=OLD)), Waiting)


def test_a_failure_that_an_earlier_run_left_is_found_at_once() -> None:
    """Its deployment is not new, but it is the one that is resumed."""
    before = service(BROKEN, replace(PREVIOUS, primary=True))
    assert isinstance(verdict(watch(before, before=before, resumed=True)), Failed)


def test_a_resumed_rollback_ignores_the_failed_deployment() -> None:
    """AWS has rolled back by itself, and still lists what failed."""
    before = service(BROKEN, replace(PREVIOUS, primary=True), definition=OLD)
    assert isinstance(verdict(watch(before, before=before, to=OLD, resumed=True)), Ready)


# Other deployments


def test_another_deployment_is_named_by_its_image() -> None:
    """Revisions mean nothing to people."""
    theirs = deployment(OTHER, 3, primary=True)
    result = verdict(watch(service(RUNNING, PREVIOUS), service(theirs, definition=OTHER)))
    assert result == Superseded("team/api:3")


def test_a_deployment_right_before_ours_was_replaced_by_it() -> None:
    """Its tasks are listed, and ours is the primary one."""
    theirs = deployment(OTHER, 9)
    result = verdict(watch(service(STARTING, theirs, PREVIOUS)))
    assert result == Superseded("team/api:3", replaced=True)


def test_a_revision_whose_image_is_unknown_is_named_itself() -> None:
    """It may not be readable."""
    rollout = watch(service(deployment(f"{FAMILY}:8", 8, primary=True)))
    assert verdict(rollout) == Superseded("duploservices-dev01-api:8")


def test_the_state_names_images_and_leaves_out_what_is_empty() -> None:
    """Of a restart, whose revisions have the same image, it names the revisions as well."""
    gone = replace(deployment(OTHER, 3), running=0)
    assert state(watch(service(STARTING, PREVIOUS, gone))) == (
        "is set to team/api:2, with 0 of 2 tasks running on team/api:2, "
        "2 tasks running on team/api:1"
    )
    restart = replace(watch(service(STARTING, PREVIOUS)), images=dict.fromkeys(IMAGES, "t:1"))
    assert "on t:1 (duploservices-dev01-api:2), 2 tasks running on t:1 (duplo" in state(restart)


# Tasks that end


@pytest.mark.parametrize(
    ("failed", "desired", "limit", "kind"),
    [
        (2, 1, 3, Waiting),
        (3, 1, 3, Failed),
        (4, 2, 3, Waiting),
        (5, 2, 3, Failed),
        (20, 10, 3, Waiting),
        (21, 10, 3, Failed),
        (1, 1, 1, Failed),
        (99, 1, 0, Waiting),
    ],
)
def test_the_crash_limit_counts_the_ends_of_one_and_the_same_task(
    failed: int, desired: int, limit: int, kind: type
) -> None:
    """Of tasks side by side, each may end that often."""
    ours = replace(STARTING, failed=failed, desired=desired)
    assert isinstance(verdict(watch(service(ours, PREVIOUS)), limit=limit), kind)


def test_failures_that_a_circuit_breaker_counts_are_left_to_it() -> None:
    """It does not count tasks that ran for a moment."""
    look = replace(service(replace(STARTING, failed=9)), has_breaker=True)
    rollout = watch(look)
    assert isinstance(verdict(rollout), Waiting)
    tasks = [exited(str(number)) for number in range(10)]
    assert isinstance(verdict(with_tasks(rollout, tasks)), Failed)


def test_failures_count_after_aws_has_reset_its_own_count() -> None:
    """It does so when a task runs for a moment."""
    looks = [service(replace(STARTING, failed=number)) for number in (2, 0, 2, 0, 1)]
    assert watch(*looks).crashes == 5
    assert isinstance(verdict(watch(*looks)), Failed)


def test_failures_count_once_although_the_deployment_is_not_listed_for_a_moment() -> None:
    """The portal may be without an answer from AWS."""
    failing = service(replace(STARTING, failed=3))
    assert watch(failing, service(), failing, service(), failing).crashes == 3


def test_a_complete_deployment_is_ready_however_often_it_failed_before() -> None:
    """AWS calls it steady: it serves."""
    looks = service(replace(STARTING, failed=9)), service(DONE)
    assert isinstance(verdict(watch(*looks)), Ready)


def test_tasks_that_ran_for_a_moment_count_although_aws_does_not_count_them() -> None:
    """The number of running tasks falls; without a list of tasks, that is all there is."""
    up_and_down = [service(RUNNING), service(STARTING)]
    assert watch(*up_and_down * 2).crashes == 4
    assert isinstance(verdict(watch(*up_and_down * 2)), Waiting)
    assert isinstance(verdict(watch(*up_and_down * 3)), Failed)


def test_tasks_that_are_scaled_down_have_not_crashed() -> None:
    """An autoscaler lowers the desired number first, and the tasks stop later."""
    looks = (replace(RUNNING, running=6, desired=wanted) for wanted in (6, 2))
    rollout = watch(*(service(one) for one in looks), service(RUNNING))
    assert rollout.crashes == 0


def test_tasks_stopped_for_other_reasons_have_not_crashed() -> None:
    """The list of tasks is more exact than the numbers."""
    rollout = watch(service(RUNNING), service(STARTING))
    assert rollout.crashes == 2
    lost = task("a", "SpotInterruption"), task("b", "ServiceSchedulerInitiated", "Scaling activity")
    assert with_tasks(rollout, lost).crashes == 0
    assert with_tasks(rollout, ()).crashes == 2


def test_only_tasks_of_our_own_deployment_count() -> None:
    """The previous revision may have crashed for days."""
    rollout = watch(service(STARTING))
    tasks = [replace(exited("a"), deployment="ecs-svc/1"), replace(exited("b"), definition=OLD)]
    assert with_tasks(rollout, tasks).crashes == 0
    assert with_tasks(rollout, [*tasks, exited("c")]).crashes == 1


def test_a_task_counts_once_however_often_it_is_listed() -> None:
    """AWS lists stopped tasks for about an hour."""
    rollout = watch(service(STARTING))
    for _ in range(5):
        rollout = with_tasks(rollout, [exited("a"), exited("b")])
    assert rollout.crashes == 2


def test_the_reason_names_why_tasks_stopped() -> None:
    """AWS's reason alone names neither exit code nor container."""
    rollout = with_tasks(
        watch(service(STARTING)),
        [exited(name, 137, "OutOfMemoryError: killed") for name in "abcde"],
    )
    assert verdict(rollout) == Failed(
        "no stable start: 5 tasks have failed; Essential container in task exited "
        "(api: exit code 137, OutOfMemoryError: killed)"
    )
    broken = with_tasks(watch(service(BROKEN)), [exited("a")])
    assert verdict(broken) == Failed(
        "its deployment failed: circuit breaker; "
        "Essential container in task exited (api: exit code 1)"
    )


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("CannotPullContainerError: docker.io/team/api:2: not found", Failed),
        ("CannotPullContainerError: manifest unknown", Failed),
        ("CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout", Waiting),
        ("ResourceInitializationError: secret not found", Waiting),
    ],
)
def test_an_absent_image_is_final_and_a_registry_out_of_reach_is_not(
    reason: str, kind: type
) -> None:
    """AWS tries again, which helps against the latter only."""
    rollout = with_tasks(watch(service(STARTING)), [task("a", "TaskFailedToStart", reason)])
    assert isinstance(verdict(rollout), kind)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (RUNNING, RUNNING, False),
        (STARTING, RUNNING, False),
        (RUNNING, STARTING, True),
        (STARTING, replace(STARTING, failed=1), True),
        (STARTING, BROKEN, True),
        (RUNNING, None, True),
    ],
)
def test_tasks_are_only_listed_when_some_may_have_ended(
    before: Deployment, now: Deployment | None, expected: bool
) -> None:
    """A rollout that goes well costs no further request."""
    first = watch(service(before, PREVIOUS))
    then = observe(first, service(*([now] if now else []), PREVIOUS), 2.0)
    assert has_lost_tasks(first, then) is expected


def test_more_tasks_started_than_needed_are_a_sign_of_tasks_that_ended() -> None:
    """They may have come and gone between two looks."""
    started = [Event(LATER, f"(service api) has started 2 tasks: (task {n}).") for n in range(3)]
    first = watch(service(STARTING, events=started[2:]))
    then = observe(first, service(STARTING, events=started), 2.0)
    assert (first.crashes, then.crashes) == (0, 4)
    assert has_lost_tasks(first, then)


def test_tasks_that_started_before_a_resumed_rollout_was_looked_at_are_not_counted() -> None:
    """Those of a deployment that AWS rolled back since began after the one it returned to."""
    started = [Event(LATER, f"(service api) has started 2 tasks: (task {n}).") for n in range(6)]
    back = service(replace(PREVIOUS, primary=True), BROKEN, definition=OLD, events=started)
    rollout = watch(back, before=back, to=OLD, resumed=True)
    assert rollout.crashes == 0
    assert isinstance(verdict(rollout), Ready)


# Events

FULL = "(service api) was unable to place a task because no instance met all requirements."


def test_events_from_before_the_change_are_no_faults() -> None:
    """Neither those seen before it nor those that are older than the deployment."""
    seen, old, fresh = Event(None, FULL), Event(EARLIER, FULL), Event(LATER, FULL)
    before = replace(BEFORE, events=(seen,))
    rollout = watch(service(STARTING, events=(fresh, old, seen)), before=before)
    assert rollout.new_events == (fresh,)


def test_a_waiting_rollout_names_what_aws_reports_until_enough_tasks_run() -> None:
    """Such as that there is no room for its tasks."""
    events = (Event(LATER, FULL),)
    assert verdict(watch(service(STARTING, events=events))) == Waiting("0 of 2 tasks running", FULL)
    assert verdict(watch(service(RUNNING, events=events))) == Waiting("2 of 2 tasks running")


@pytest.mark.parametrize(
    "text",
    [
        "has started 2 tasks: (task a) (task b).",
        "has started 1 tasks: (task a).",
        "has stopped 2 running tasks: (task a) (task b).",
        "has stopped 1 pending tasks: (task a).",
        "registered 1 targets in (target-group arn:aws:elasticloadbalancing:a/b/1)",
        "deregistered 1 targets in (target-group arn:aws:elasticloadbalancing:a/b/1)",
        "has begun draining connections on 1 tasks.",
        "(deployment ecs-svc/1) deployment completed.",
        "has reached a steady state.",
        "updated computedDesiredCount for taskSet ecs-svc/1 to 2.",
    ],
)
def test_ordinary_events_are_no_faults(text: str) -> None:
    """They come with every rollout that goes well."""
    assert reasons.faults([Event(LATER, f"(service api) {text}")]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "was unable to place a task. Reason: RESOURCE:MEMORY.",
        "is unable to consistently start tasks successfully.",
        "(deployment ecs-svc/2) deployment failed: tasks failed to start.",
        "(port 80) is unhealthy in (target-group a) due to (reason Health checks failed).",
        "failed to launch a task with (error ECS was unable to assume the role).",
    ],
)
def test_events_that_report_trouble_are_faults(text: str) -> None:
    """Repeated ones are shown once."""
    events = [Event(LATER, f"(service api) {text}")] * 2
    assert reasons.faults(events) == (f"(service api) {text}",)


def test_an_exit_code_that_the_portal_fills_in_is_not_shown() -> None:
    """It shows 0 for a container that never ran."""
    container = TaskContainer("api", 0, "CannotStartContainerError: no such file")
    failed = task("a", "TaskFailedToStart", "Task failed to start", container)
    assert reasons.why(failed) == (
        "Task failed to start (api: CannotStartContainerError: no such file)"
    )
    assert reasons.why(exited("b", 0)) == "Essential container in task exited (api: exit code 0)"


# What runs before the change


@pytest.mark.parametrize(
    ("deployments", "expected"),
    [
        ((), NEW),
        ((STARTING, PREVIOUS), NEW),
        ((replace(PREVIOUS, primary=True),), OLD),
        ((BROKEN, replace(PREVIOUS, primary=True)), OLD),
        ((replace(PREVIOUS, primary=True, state="IN_PROGRESS"),), NEW),
        ((replace(PREVIOUS, primary=True), replace(RUNNING, primary=False)), NEW),
        ((replace(PREVIOUS, primary=True, state=""),), OLD),
    ],
)
def test_a_revision_that_aws_has_left_is_not_the_current_one(
    deployments: tuple[Deployment, ...], expected: str
) -> None:
    """The portal may go on to show what it was asked for after AWS has rolled back."""
    assert current_revision(service(*deployments)) == expected
