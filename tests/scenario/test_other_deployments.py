"""Other deployments of the same target: detected, reported, and never rolled back."""

import pytest

from tests.sandbox import Behaviour, World
from tests.support.harness import Harness

MAIN = "duplo-main-container"


def deploy_another_version(world: World) -> None:
    """Change the service's image as another user."""
    world.service("web").set_images({MAIN: "team/web:9.9.9"}, "another-user")


def test_a_change_between_plan_and_write_stops_the_run(harness: Harness) -> None:
    """Exit 7, and nothing is written."""
    harness.web()
    harness.world.intrude(deploy_another_version, when=("GET", "replicationcontroller/web", 1))
    result = harness.deploy()
    assert result.code == 7
    assert "team/web:9.9.9" in result.stdout
    assert harness.world.write_attempts() == []


@pytest.mark.parametrize("rollback", ["true", "false"])
@pytest.mark.parametrize("moment", [0.5, 1.5, 3.0, 5.0, 8.5])
def test_another_deployment_ends_the_run_and_stays(
    harness: Harness, moment: float, rollback: str
) -> None:
    """Exit 7 at any moment of the rollout; ROLLBACK does not touch the other change."""
    harness.web()
    harness.world.intrude(deploy_another_version, after=moment)
    result = harness.deploy(ROLLBACK=rollback)
    assert result.code == 7
    assert "another deployment changed it" in result.stdout
    assert harness.world.service("web").image == "team/web:9.9.9"
    assert len([record for record in harness.world.writes() if record.method == "PUT"]) == 1


def test_a_rollback_by_another_user_is_detected(harness: Harness) -> None:
    """Restoring the previous image counts as another change."""
    harness.web()
    harness.world.intrude(
        lambda world: world.service("web").set_images({MAIN: "team/web:1.4.1"}, "another-user"),
        after=3.0,
    )
    assert harness.deploy().code == 7


def test_a_change_during_a_failure_is_not_rolled_back(harness: Harness) -> None:
    """Before the rollback, the target is checked once more."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash"))
    harness.world.intrude(deploy_another_version, when=("POST", "findContainerLogs", 1))
    result = harness.deploy("team/web:bad", ROLLBACK="true")
    assert harness.world.service("web").image == "team/web:9.9.9"
    assert result.code == 7
    assert "left alone" in result.text


def test_two_runs_for_different_images_never_both_succeed(harness: Harness) -> None:
    """The last check before success also reads which image the service is set to."""
    harness.web(replicas=1)
    harness.world.intrude(deploy_another_version, after=6.9)
    result = harness.deploy()
    assert result.code == 7
