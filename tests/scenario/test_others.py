"""Somebody else at the same target: noticed, told, and never undone."""

import pytest

from tests.sandbox import Behaviour, World
from tests.support.stage import Stage

MAIN = "duplo-main-container"


def eve(world: World) -> None:
    """Somebody else deploys another version."""
    world.service("web").set_images({MAIN: "team/web:9.9.9"}, "eve")


def test_a_change_between_plan_and_write_stops_the_run(stage: Stage) -> None:
    """Exit 7, nothing written."""
    stage.web()
    stage.world.intrude(eve, when=("GET", "replicationcontroller/web", 1))
    ending = stage.deploy()
    assert ending.code == 7
    assert "team/web:9.9.9" in ending.result
    assert stage.world.write_attempts() == []


@pytest.mark.parametrize("rollback", ["true", "false"])
@pytest.mark.parametrize("moment", [0.5, 1.5, 3.0, 5.0, 8.5])
def test_being_overtaken_ends_the_run_and_leaves_theirs(
    stage: Stage, moment: float, rollback: str
) -> None:
    """Exit 7 at any moment of the rollout; ROLLBACK never undoes what is not ours."""
    stage.web()
    stage.world.intrude(eve, after=moment)
    ending = stage.deploy(ROLLBACK=rollback)
    assert ending.code == 7
    assert "somebody else changed it" in ending.result
    assert stage.world.service("web").image == "team/web:9.9.9"
    assert len([record for record in stage.world.writes() if record.method == "PUT"]) == 1


def test_the_old_image_put_back_by_somebody_is_noticed(stage: Stage) -> None:
    """Going back is a change as well."""
    stage.web()
    stage.world.intrude(
        lambda world: world.service("web").set_images({MAIN: "team/web:1.4.1"}, "eve"), after=3.0
    )
    assert stage.deploy().code == 7


def test_a_change_while_we_fail_is_not_undone(stage: Stage) -> None:
    """The way back looks first whether the target is still ours."""
    stage.web()
    stage.world.behave("team/web:bad", Behaviour("crash"))
    stage.world.intrude(eve, when=("POST", "findContainerLogs", 1))
    ending = stage.deploy("team/web:bad", ROLLBACK="true")
    assert stage.world.service("web").image == "team/web:9.9.9"
    assert ending.code == 7
    assert "left alone" in ending.text


def test_two_runs_for_different_images_never_both_succeed(stage: Stage) -> None:
    """The last look before success asks once more what the service is to run."""
    stage.web(replicas=1)
    stage.world.intrude(eve, after=6.9)
    ending = stage.deploy()
    assert ending.code == 7
