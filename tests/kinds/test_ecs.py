"""ECS services."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox import ApiFault, Behaviour, World
from tests.sandbox.kinds.ecs import EcsService
from tests.sandbox.task_definition import ADDED, usual_definition
from tests.support.harness import Harness

IGNORED = {"TaskDefinitionArn", "Revision", "RegisteredAt", "Status", *ADDED}


def definition_of(world: World, number: int) -> dict[str, Any]:
    found = list(world.ecs.definitions.values())[number]
    return {key: value for key, value in found.items() if key not in IGNORED}


def deploy_after(world: World, api: EcsService) -> str:
    """Have another deployment set t:9 right after the run's own change; return its revision."""
    family = {"Family": "duploservices-dev01-api"}
    theirs = world.ecs.register(usual_definition({"default": "t:9"}) | family, world.tenants[0])
    world.intrude(
        lambda _: api.update({**api.document, "TaskDefinition": theirs}),
        when=("POST", "UpdateEcsService$", 1),
    )
    return str(theirs)


def test_a_new_revision_differs_only_in_the_image(harness: Harness) -> None:
    """Optional containers stay optional, and no field is lost."""
    api = harness.world.ecs.add("api", "team/api:1", containers={"log": "log:1"})
    assert harness.run(KIND="ecs", SERVICE="api", IMAGE="team/api:2").code == 0
    assert api.image == "team/api:2"
    before, after = definition_of(harness.world, 0), definition_of(harness.world, 1)
    assert after["ContainerDefinitions"][1]["Essential"] is False
    assert after["PidMode"] == {"Value": "task"}
    after["ContainerDefinitions"][0]["Image"] = "team/api:1"
    assert after == before


def test_a_hand_made_task_definition_keeps_its_container_names(harness: Harness) -> None:
    """Only the portal uses the name `default`, and only families have a prefix."""
    made = usual_definition({"api": "team/api:1", "log": "log:1"})
    api = harness.world.ecs.add("api", "", definition=made)
    assert harness.run(KIND="ecs", SERVICE="api", IMAGE="team/api:2").code == 0
    containers = definition_of(harness.world, 1)["ContainerDefinitions"]
    assert [one["Image"] for one in containers] == ["team/api:2", "log:1"]
    assert api.document["Name"] == "api"


def test_a_rollout_is_ready_once_our_deployment_is_complete_and_stable(harness: Harness) -> None:
    """It takes until AWS reports completion, plus STABLE_SECONDS."""
    api = harness.world.ecs.add("api", "team/api:1")
    clock = harness.world.clock
    before = clock.monotonic()
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 0
    complete = harness.world.rollout_seconds + harness.world.leave_seconds
    assert complete + 5 <= clock.monotonic() - before <= complete + 5 + 1
    assert [one.state for one in api.deployments] == ["COMPLETED"]


def test_a_rollback_by_aws_is_a_failure(harness: Harness) -> None:
    """The previous revision is primary and complete then, which is not success."""
    api = harness.world.ecs.add("api", "team/api:1")
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 10
    assert api.image == "team/api:1"
    assert "circuit breaker" in harness.output
    assert "Essential container in task exited (default: exit code 1)" in harness.output


def test_a_single_task_is_left_to_the_circuit_breaker(harness: Harness) -> None:
    """CRASH_LIMIT would end the wait a moment before AWS rolls back."""
    api = harness.world.ecs.add("api", "team/api:1", replicas=1)
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 10
    assert "circuit breaker" in harness.output
    assert api.image == "team/api:1"


def test_a_rollback_by_aws_is_verified_and_not_repeated(harness: Harness) -> None:
    """ROLLBACK has nothing to change then."""
    api = harness.world.ecs.add("api", "team/api:1")
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.image == "team/api:1"
    assert len(harness.requests("UpdateEcsService")) == 1


def test_without_a_circuit_breaker_the_previous_revision_is_restored(harness: Harness) -> None:
    """Tasks that keep failing end the wait; the rollback registers no third revision."""
    api = harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    first = api.definition
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.definition == first
    assert len(harness.world.ecs.definitions) == 2
    assert "no stable start: 6 tasks have failed" in harness.output


def test_a_revision_of_another_deployment_stays(harness: Harness) -> None:
    """The run ends with a conflict, even with ROLLBACK."""
    world = harness.world
    api = world.ecs.add("api", "team/api:1")
    theirs = deploy_after(world, api)
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 7
    assert api.definition == theirs


def test_after_a_lost_reply_the_service_is_not_updated_again(harness: Harness) -> None:
    """The service is read back instead."""
    api = harness.world.ecs.add("api", "team/api:1")
    harness.world.script(ApiFault("POST", "UpdateEcsService$", "reset-after"))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 0
    assert api.image == "team/api:2"
    assert len(harness.requests("UpdateEcsService")) == 1


def test_an_old_portal_is_asked_for_the_deployments_of_each_service(old_harness: Harness) -> None:
    """Its list of services has no deployments."""
    api = old_harness.world.ecs.add("api", "team/api:1")
    assert old_harness.run(SERVICES="ecs:api=team/api:2").code == 0
    assert api.image == "team/api:2"


def test_a_restart_registers_a_revision_with_the_same_images(harness: Harness) -> None:
    """AWS replaces tasks only when the revision changes."""
    api = harness.world.ecs.add("api", "team/api:1")
    first = api.definition
    assert harness.run(SERVICES="ecs:api=team/api:1", RESTART="true").code == 0
    assert api.definition != first
    assert api.image == "team/api:1"


def test_a_second_run_changes_nothing(harness: Harness) -> None:
    """The service already runs the image."""
    harness.world.ecs.add("api", "team/api:1")
    assert harness.run(SERVICES="ecs:api=team/api:1").code == 0
    assert harness.world.writes() == []
    assert "already runs team/api:1" in harness.output


def test_settings_changed_during_the_pre_deploy_test_stay(harness: Harness) -> None:
    """The write is built from the last look before it; someone scaled it to six meanwhile."""
    api = harness.world.ecs.add("api", "team/api:1", replicas=2)

    def scale(_: World) -> None:
        api.document["Replicas"] = 6

    harness.world.intrude(scale, when=("GET", "aws/ecs/service$", 1))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 0
    assert (api.image, api.document["Replicas"]) == ("team/api:2", 6)


@pytest.mark.parametrize("breaker", [True, False])
def test_a_rollback_is_verified_although_aws_starts_it_a_second_late(
    harness: Harness, breaker: bool
) -> None:
    """Until then the failed version is the primary one, and the previous one is listed."""
    api = harness.world.ecs.add("api", "team/api:1", breaker=(breaker, False))
    api.starts_late = 1.0
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    harness.clock.advance(60)
    assert api.image == "team/api:1"
    assert api.primary.state == "COMPLETED"


def test_a_rollback_whose_request_was_lost_is_sent_again(harness: Harness) -> None:
    """The previous revision is listed all along, which does not show that it arrived."""
    api = harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    harness.world.behave("team/api:2", Behaviour("crash"))
    harness.world.script(ApiFault("POST", "UpdateEcsService$", "reset-before", skip=1))
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.image == "team/api:1"


def test_a_rollback_to_a_deregistered_revision_registers_it_again(harness: Harness) -> None:
    """AWS goes on to run an inactive revision, but does not return to one."""
    api = harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    first = api.definition
    harness.world.behave("team/api:2", Behaviour("crash"))

    def deregister(world: World) -> None:
        world.ecs.definitions[first]["Status"] = {"Value": "INACTIVE"}

    harness.world.intrude(deregister, when=("POST", "UpdateEcsService$", 1))
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.image == "team/api:1"
    assert api.definition != first


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (
            Behaviour("crash", exit_code=3),
            "Essential container in task exited (default: exit code 3)",
        ),
        (Behaviour("crash", exit_code=137), "exit code 137, OutOfMemoryError: Container killed"),
        (
            Behaviour("crash", ready=True),
            "Essential container in task exited (default: exit code 1)",
        ),
        (Behaviour("pull-error"), "cannot be pulled: CannotPullContainerError"),
        (Behaviour("config-error"), "ResourceInitializationError: unable to pull secrets"),
        (Behaviour("never-ready"), "Task failed ELB health checks"),
    ],
)
def test_tasks_that_do_not_stay_up_are_a_failure_with_their_reason(
    harness: Harness, behaviour: Behaviour, reason: str
) -> None:
    """Without a circuit breaker, AWS itself would go on for ever."""
    harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    harness.world.behave("team/api:2", behaviour)
    result = harness.run(SERVICES="ecs:api=team/api:2")
    assert result.code == 10
    assert result.seconds < 40
    assert reason in harness.output.split("ecs:api: failed: ")[1].splitlines()[0]


@pytest.mark.parametrize(("limit", "failed", "seconds"), [("1", 2, 10), ("2", 4, 20), ("0", 0, 61)])
def test_the_crash_limit_may_be_changed(
    harness: Harness, limit: str, failed: int, seconds: float
) -> None:
    """With 0, the time limit alone ends the wait."""
    harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    harness.world.behave("team/api:2", Behaviour("crash"))
    result = harness.run(SERVICES="ecs:api=team/api:2", CRASH_LIMIT=limit, WAIT_TIMEOUT="60")
    assert result.code == 10
    assert result.seconds < seconds
    assert ("did not finish within 60 s" in harness.output) is (limit == "0")
    assert limit == "0" or f"{failed} tasks have failed" in harness.output


def test_tasks_that_fail_at_first_do_not_end_the_wait(harness: Harness) -> None:
    """They come up once what they need does."""
    api = harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    harness.world.behave("team/api:2", Behaviour("crash", passes_after=12.0))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 0
    assert api.image == "team/api:2"


def test_a_rollout_that_goes_well_does_not_list_tasks(harness: Harness) -> None:
    """A look is one request."""
    harness.world.ecs.add("api", "team/api:1")
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 0
    assert harness.requests("ecsTasks") == []


@pytest.mark.parametrize("fault", [{"status": 500, "times": 99}, {"status": 403, "times": 99}])
def test_tasks_that_cannot_be_listed_do_not_hide_the_failure(
    harness: Harness, fault: dict[str, Any]
) -> None:
    """They explain it, no more."""
    harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    harness.world.behave("team/api:2", Behaviour("crash", ready=True))
    harness.world.script(ApiFault("GET", "ecsTasks", **fault))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 10
    assert "no stable start: 6 tasks have failed" in harness.output


def test_events_from_before_the_change_and_ordinary_ones_are_no_faults(harness: Harness) -> None:
    """The service was short of room hours ago."""
    api = harness.world.ecs.add("api", "team/api:1", breaker=(False, False))
    assert "unable to place a task" in str(api.events)
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 10
    faults = [line for line in harness.output.splitlines() if "  fault: " in line]
    assert len(faults) == 1
    assert "6 tasks stopped: Essential container in task exited" in faults[0]


def test_a_service_without_room_for_its_tasks_is_waited_for_with_the_reason(
    harness: Harness,
) -> None:
    """An instance may be added."""
    harness.world.ecs.add("api", "team/api:1")
    harness.world.behave("team/api:2", Behaviour("unschedulable"))
    assert harness.run(SERVICES="ecs:api=team/api:2", WAIT_TIMEOUT="60").code == 10
    assert "did not finish within 60 s" in harness.output
    assert "no container instance met all of its requirements" in harness.output


@pytest.mark.parametrize("name", ["api", "duploservices-dev01-api"])
@pytest.mark.parametrize("prefixed", [True, False])
def test_a_service_has_a_short_and_a_full_name(harness: Harness, name: str, prefixed: bool) -> None:
    """The list may show the full one, while the portal's pages show the short one."""
    api = harness.world.ecs.add("api", "team/api:1", prefixed=prefixed)
    expected = 4 if name != "api" and not prefixed else 0
    assert harness.run(KIND="ecs", SERVICE=name, IMAGE="team/api:2").code == expected
    assert api.image == ("team/api:1" if expected else "team/api:2")


def test_the_two_names_of_a_service_are_one_target(harness: Harness) -> None:
    """It cannot be set to two images."""
    harness.world.ecs.add("api", "team/api:1", prefixed=True)
    both = "ecs:api=team/api:2 ecs:duploservices-dev01-api=team/api:3"
    assert harness.run(SERVICES=both).code == 4
    assert "are one and the same resource" in harness.output
    assert harness.world.writes() == []


def test_what_runs_now_is_named_by_image(harness: Harness) -> None:
    """Revisions mean nothing to people; another deployment's image is read for that."""
    world = harness.world
    api = world.ecs.add("api", "team/api:1")
    deploy_after(world, api)
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 7
    assert "it is now set to t:9" in harness.output
    assert "is set to t:9, with 0 of 2 tasks running on t:9" in harness.output


def test_the_image_of_a_changed_sidecar_is_the_one_that_is_named(harness: Harness) -> None:
    """The main one stays as it is."""
    harness.world.ecs.add("api", "team/api:1", containers={"log": "log:1"}, breaker=(True, False))
    harness.world.behave("log:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api/log=log:2").code == 10
    assert "is set to log:2, with 0 of 2 tasks running on log:2, 2 tasks running on log:1" in (
        harness.output
    )


def test_a_version_that_aws_rolled_back_is_not_running_already(harness: Harness) -> None:
    """The portal may go on to show what it was asked for; the fixed image has the same name."""
    api = harness.world.ecs.add("api", "team/api:1")
    api.portal_follows = False
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 10
    harness.clock.advance(120)
    assert (api.image, api.primary.definition[-2:]) == ("team/api:2", ":1")
    harness.world.behave("team/api:2", Behaviour())
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 0
    assert "team/api:1 -> team/api:2" in harness.output
    assert harness.world.ecs.images(api.primary.definition) == ["team/api:2"]


def test_a_rollback_corrects_what_the_portal_shows_after_one_by_aws(harness: Harness) -> None:
    """Its next change would bring back the version that failed."""
    api = harness.world.ecs.add("api", "team/api:1")
    first, api.portal_follows = api.definition, False
    harness.world.behave("team/api:2", Behaviour("crash"))
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.definition == first
    api.document["TaskDefinition"] = next(reversed(harness.world.ecs.definitions))
    harness.clock.advance(120)
    assert harness.run(SERVICES="ecs:api=team/api:1").code == 0
    assert api.definition == first


def test_a_deployment_that_failed_is_made_again(harness: Harness) -> None:
    """AWS starts no more tasks of it, although what they lacked may be there now."""
    api = harness.world.ecs.add("api", "team/api:1", breaker=(True, False))
    harness.world.behave("team/api:2", Behaviour("config-error"))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 10
    harness.world.behave("team/api:2", Behaviour())
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 0
    assert "its last deployment failed; it is deployed again" in harness.output
    assert (api.image, api.primary.state) == ("team/api:2", "COMPLETED")


def test_a_repeated_step_does_not_restart_the_service_again(harness: Harness) -> None:
    """The run before it may have been killed."""
    harness.world.ecs.add("api", "team/api:1")
    restart = {"SERVICES": "ecs:api=team/api:1", "RESTART": "true"}
    assert harness.run(**restart).code == 0
    assert harness.run(**restart, BITBUCKET_STEP_RUN_NUMBER="2").code == 0
    assert len(harness.requests("UpdateEcsService")) == 1
    assert harness.run(**restart).code == 0
    assert len(harness.requests("UpdateEcsService")) == 2
