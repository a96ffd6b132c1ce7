"""Deploys that succeed."""

import pytest

from tests.support.stage import Stage


@pytest.mark.parametrize("portal", ["new", "old"])
def test_a_deploy_changes_the_image_once_and_waits_for_every_pod(stage: Stage, portal: str) -> None:
    """One write puts all pods on the new image, with both generations of the portal."""
    stage.world.portal = portal
    web = stage.web(allocation_tags="tier-app")
    ending = stage.deploy()
    assert ending.code == 0
    assert (
        "✔ web runs team/web:1.4.2 (previously team/web:1.4.1): 2 pods up for 5 s" in ending.result
    )
    assert web.image == "team/web:1.4.2"
    assert len(stage.world.writes()) == 1


def test_the_plan_is_logged_as_a_diff(stage: Stage) -> None:
    """The log shows old and new image before anything changes."""
    stage.web()
    assert "Plan: web: team/web:1.4.1 -> team/web:1.4.2" in stage.deploy().log


def test_a_run_ends_within_a_second_of_the_last_pod_being_stable(stage: Stage) -> None:
    """STABLE_SECONDS after the last pod came up, plus one second at most."""
    for rollout in (1.9, 2.0, 2.3, 2.7, 6.1):
        web = stage.world.add_service(f"web{rollout}".replace(".", "-"), "team/web:1", replicas=1)
        stage.world.rollout_seconds = rollout
        ending = stage.deploy("team/web:2", SERVICE=web.name)
        assert ending.code == 0
        assert rollout + 5.0 <= ending.seconds <= rollout + 6.0


@pytest.mark.parametrize("stable", ["0", "1", "30"])
def test_pods_must_stay_up_for_stable_seconds(stage: Stage, stable: str) -> None:
    """The run lasts as long as the rollout and STABLE_SECONDS."""
    stage.web(replicas=1)
    ending = stage.deploy(STABLE_SECONDS=stable)
    assert ending.code == 0
    assert 2.0 + int(stable) <= ending.seconds <= 3.0 + int(stable)


def test_a_change_on_an_old_portal_keeps_allocation_tags_and_switches(stage: Stage) -> None:
    """The v2 call resets whatever it does not receive (traps 16 and 17)."""
    stage.world.portal = "old"
    web = stage.web(allocation_tags="tier-app")
    before = dict(web.flags)
    stage.deploy()
    assert web.allocation_tags == "tier-app"
    assert web.flags == before


def test_deploying_the_current_image_changes_nothing(stage: Stage) -> None:
    """The result names what already runs, and nothing is written."""
    stage.web()
    ending = stage.deploy("team/web:1.4.1")
    assert ending.code == 0
    assert "Nothing to change: web already runs team/web:1.4.1" in ending.result
    assert stage.world.write_attempts() == []
    assert ending.seconds < 1.0


def test_images_are_compared_in_canonical_form(stage: Stage) -> None:
    """docker.io/team/web:1.4.1 equals team/web:1.4.1 (trap 6)."""
    stage.web()
    assert stage.deploy("docker.io/team/web:1.4.1").code == 0
    assert stage.world.write_attempts() == []


def test_restart_replaces_every_pod_on_the_same_image(stage: Stage) -> None:
    """RESTART waits for new pods: an unchanged image proves nothing (trap 7)."""
    web = stage.web()
    before = {pod.name for pod in web.pods}
    ending = stage.deploy("team/web:1.4.1", RESTART="true")
    assert ending.code == 0
    assert "web was restarted on team/web:1.4.1" in ending.result
    assert not before & {pod.name for pod in web.pods}
    assert [record.path.split("/")[-2] for record in stage.world.writes()] == [
        "ReplicationControllerReboot"
    ]


def test_restart_with_a_new_image_only_changes_the_image(stage: Stage) -> None:
    """The new image replaces the pods anyway."""
    stage.web()
    assert stage.deploy(RESTART="true").code == 0
    assert len(stage.world.writes()) == 1


def test_without_wait_the_rollout_is_not_followed(stage: Stage) -> None:
    """The run ends right after the change and does not claim that the version is ready."""
    stage.web()
    ending = stage.deploy(WAIT="false")
    assert ending.code == 0
    assert "without following" in ending.result
    assert ending.seconds < 1.0
    assert len(stage.world.writes()) == 1


def test_a_dry_run_prints_the_plan_and_changes_nothing(stage: Stage) -> None:
    """DRY_RUN stops after the diff."""
    stage.web()
    ending = stage.deploy(DRY_RUN="true")
    assert ending.code == 0
    assert "team/web:1.4.1 -> team/web:1.4.2" in ending.log
    assert stage.world.write_attempts() == []


def test_the_tenant_is_found_by_name_in_any_case_or_by_id(stage: Stage) -> None:
    """Names are lower case in the portal, ids are GUIDs (trap 28)."""
    stage.web()
    tenant = stage.world.tenant("dev01")
    assert stage.deploy(TENANT="DEV01", DRY_RUN="true").code == 0
    assert stage.deploy(TENANT=tenant.id.upper(), DRY_RUN="true").code == 0


def test_progress_is_logged_at_least_every_fifteen_seconds(stage: Stage) -> None:
    """Each line names what the run waits for."""
    stage.web(replicas=1)
    stage.world.rollout_seconds = 65.0
    ending = stage.deploy()
    assert ending.code == 0
    assert ending.log.count("still: 0 of 1 new pods up") == 4


def test_requests_take_at_most_a_tenth_of_the_time(stage: Stage) -> None:
    """The interval between checks grows with the portal's response time."""
    stage.web(replicas=1)
    stage.world.rollout_seconds = 60.0
    ending = stage.deploy()
    assert len(stage.world.log) * 0.02 <= ending.seconds / 10 + 1
