"""ECS services."""

from __future__ import annotations

from typing import Any

from tests.sandbox import ApiFault, Behaviour, World
from tests.sandbox.task_definition import ADDED, usual_definition
from tests.support.harness import Harness

IGNORED = {"TaskDefinitionArn", "Revision", "RegisteredAt", "Status", *ADDED}


def definition_of(world: World, number: int) -> dict[str, Any]:
    found = list(world.ecs.definitions.values())[number]
    return {key: value for key, value in found.items() if key not in IGNORED}


def test_a_new_revision_differs_only_in_the_image(harness: Harness) -> None:
    """Trap 36: optional containers stay optional, and no field is lost."""
    api = harness.world.ecs.add("api", "team/api:1", containers={"log": "log:1"})
    assert harness.run(KIND="ecs", SERVICE="api", IMAGE="team/api:2").code == 0
    assert api.image == "team/api:2"
    before, after = definition_of(harness.world, 0), definition_of(harness.world, 1)
    assert after["ContainerDefinitions"][1]["Essential"] is False
    assert after["PidMode"] == {"Value": "task"}
    after["ContainerDefinitions"][0]["Image"] = "team/api:1"
    assert after == before


def test_a_hand_made_task_definition_keeps_its_container_names(harness: Harness) -> None:
    """Trap 34: only the portal uses the name `default`, and only families have a prefix."""
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
    """Trap 35: the previous revision is primary and complete then, which is not success."""
    api = harness.world.ecs.add("api", "team/api:1")
    harness.world.behave("team/api:2", Behaviour("crash", log=["no database"]))
    assert harness.run(SERVICES="ecs:api=team/api:2").code == 10
    assert api.image == "team/api:1"
    assert "circuit breaker" in harness.output
    assert "no database" in harness.output


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
    harness.world.behave("team/api:2", Behaviour("crash", log=["no database"]))
    assert harness.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.definition == first
    assert len(harness.world.ecs.definitions) == 2
    assert "no task stays up" in harness.output


def test_a_revision_of_another_deployment_stays(harness: Harness) -> None:
    """The run ends with a conflict, even with ROLLBACK."""
    world = harness.world
    api = world.ecs.add("api", "team/api:1")
    family = {"Family": "duploservices-dev01-api"}
    theirs = world.ecs.register(usual_definition({"default": "t:9"}) | family, world.tenants[0])
    world.intrude(
        lambda _: api.update({**api.document, "TaskDefinition": theirs}),
        when=("POST", "UpdateEcsService$", 1),
    )
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
