"""ECS services."""

from __future__ import annotations

from tests.sandbox import ApiFault, Behaviour
from tests.sandbox.task_definition import ADDED, usual_definition

IGNORED = {"TaskDefinitionArn", "Revision", "RegisteredAt", "Status", *ADDED}


def definition_of(world, number):
    found = list(world.ecs.definitions.values())[number]
    return {key: value for key, value in found.items() if key not in IGNORED}


def test_a_new_revision_differs_in_the_image_alone(stage):
    """Trap 36: optional containers stay optional, and nothing is lost on the way."""
    api = stage.world.ecs.add("api", "team/api:1", containers={"log": "log:1"})
    assert stage.run(KIND="ecs", SERVICE="api", IMAGE="team/api:2").code == 0
    assert api.image == "team/api:2"
    before, after = definition_of(stage.world, 0), definition_of(stage.world, 1)
    assert after["ContainerDefinitions"][1]["Essential"] is False
    assert after["PidMode"] == {"Value": "task"}
    after["ContainerDefinitions"][0]["Image"] = "team/api:1"
    assert after == before


def test_a_definition_that_people_made_has_its_own_container_names(stage):
    """Trap 34: `default` is the portal's name only, and families carry a prefix, names do not."""
    made = usual_definition({"api": "team/api:1", "log": "log:1"})
    api = stage.world.ecs.add("api", "", definition=made)
    assert stage.run(KIND="ecs", SERVICE="api", IMAGE="team/api:2").code == 0
    containers = definition_of(stage.world, 1)["ContainerDefinitions"]
    assert [one["Image"] for one in containers] == ["team/api:2", "log:1"]
    assert api.document["Name"] == "api"


def test_it_is_done_only_when_the_deployment_is_ours_and_complete(stage):
    """The end is AWS' word and STABLE_SECONDS on top."""
    api = stage.world.ecs.add("api", "team/api:1")
    clock = stage.world.clock
    before = clock.monotonic()
    assert stage.run(SERVICES="ecs:api=team/api:2").code == 0
    complete = stage.world.rollout_seconds + stage.world.leave_seconds
    assert complete + 5 <= clock.monotonic() - before <= complete + 5 + 1
    assert [one.state for one in api.deployments] == ["COMPLETED"]


def test_a_rollback_by_aws_is_a_failure(stage):
    """Trap 35: the old revision is primary and complete then, which is not what was asked for."""
    api = stage.world.ecs.add("api", "team/api:1")
    stage.world.behave("team/api:2", Behaviour("crash", log=["no database"]))
    assert stage.run(SERVICES="ecs:api=team/api:2").code == 10
    assert api.image == "team/api:1"
    assert "circuit breaker" in stage.output
    assert "no database" in stage.output


def test_what_aws_put_back_by_itself_is_verified_and_not_touched(stage):
    """ROLLBACK has nothing to write then."""
    api = stage.world.ecs.add("api", "team/api:1")
    stage.world.behave("team/api:2", Behaviour("crash"))
    assert stage.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.image == "team/api:1"
    assert len(stage.requests("UpdateEcsService")) == 1


def test_without_circuit_breaker_the_very_revision_before_comes_back(stage):
    """Tasks that keep failing end the wait; no third revision is made of the first."""
    api = stage.world.ecs.add("api", "team/api:1", breaker=(False, False))
    first = api.definition
    stage.world.behave("team/api:2", Behaviour("crash", log=["no database"]))
    assert stage.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 8
    assert api.definition == first
    assert len(stage.world.ecs.definitions) == 2
    assert "no task stays up" in stage.output


def test_somebody_elses_revision_stays(stage):
    """Whoever deploys over us keeps what they deployed."""
    world = stage.world
    api = world.ecs.add("api", "team/api:1")
    family = {"Family": "duploservices-dev01-api"}
    theirs = world.ecs.register(usual_definition({"default": "t:9"}) | family, world.tenants[0])
    world.intrude(
        lambda _: api.update({**api.document, "TaskDefinition": theirs}),
        when=("POST", "UpdateEcsService$", 1),
    )
    assert stage.run(SERVICES="ecs:api=team/api:2", ROLLBACK="true").code == 7
    assert api.definition == theirs


def test_a_lost_reply_is_looked_up(stage):
    """The service is pointed to its revision once."""
    api = stage.world.ecs.add("api", "team/api:1")
    stage.world.script(ApiFault("POST", "UpdateEcsService$", "reset-after"))
    assert stage.run(SERVICES="ecs:api=team/api:2").code == 0
    assert api.image == "team/api:2"
    assert len(stage.requests("UpdateEcsService")) == 1


def test_an_old_portal_tells_deployments_one_by_one(old_stage):
    """The older list has no deployments; each service is asked for its own."""
    api = old_stage.world.ecs.add("api", "team/api:1")
    assert old_stage.run(SERVICES="ecs:api=team/api:2").code == 0
    assert api.image == "team/api:2"


def test_a_restart_is_a_revision_of_the_same(stage):
    """AWS replaces tasks only for another revision."""
    api = stage.world.ecs.add("api", "team/api:1")
    first = api.definition
    assert stage.run(SERVICES="ecs:api=team/api:1", RESTART="true").code == 0
    assert api.definition != first
    assert api.image == "team/api:1"


def test_the_same_again_changes_nothing(stage):
    """A second run finds everything done."""
    stage.world.ecs.add("api", "team/api:1")
    assert stage.run(SERVICES="ecs:api=team/api:1").code == 0
    assert stage.world.writes() == []
    assert "already runs team/api:1" in stage.output
