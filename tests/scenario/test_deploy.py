"""Deploys that succeed."""

from typing import Any

import pytest

from tests.support.harness import Harness


@pytest.mark.parametrize("portal", ["new", "old"])
def test_a_deploy_changes_the_image_once_and_waits_for_every_pod(
    harness: Harness, portal: Any
) -> None:
    """One write puts all pods on the new image, with both generations of the portal."""
    harness.world.portal = portal
    web = harness.web(allocation_tags="tier-app")
    run_result = harness.deploy()
    assert run_result.code == 0
    assert (
        "✔ web runs team/web:1.4.2 (previously team/web:1.4.1): 2 pods up for 5 s, as the portal "
        "shows" in run_result.stdout
    )
    assert web.image == "team/web:1.4.2"
    assert len(harness.world.writes()) == 1


def test_the_plan_is_logged_as_a_diff(harness: Harness) -> None:
    """The log shows old and new image before anything changes."""
    harness.web()
    assert "Plan: web: team/web:1.4.1 -> team/web:1.4.2" in harness.deploy().log


def test_a_run_ends_within_a_second_of_the_last_pod_being_stable(harness: Harness) -> None:
    """STABLE_SECONDS after the last pod came up, plus one second at most."""
    for rollout in (1.9, 2.0, 2.3, 2.7, 6.1):
        web = harness.world.add_service(f"web{rollout}".replace(".", "-"), "team/web:1", replicas=1)
        harness.world.rollout_seconds = rollout
        run_result = harness.deploy("team/web:2", SERVICE=web.name)
        assert run_result.code == 0
        assert rollout + 5.0 <= run_result.seconds <= rollout + 6.0


@pytest.mark.parametrize("stable", ["0", "1", "30"])
def test_pods_must_stay_up_for_stable_seconds(harness: Harness, stable: str) -> None:
    """The run lasts as long as the rollout and STABLE_SECONDS."""
    harness.web(replicas=1)
    run_result = harness.deploy(STABLE_SECONDS=stable)
    assert run_result.code == 0
    assert 2.0 + int(stable) <= run_result.seconds <= 3.0 + int(stable)


def test_a_change_on_an_old_portal_keeps_allocation_tags_and_switches(harness: Harness) -> None:
    """The v2 call resets whatever it does not receive."""
    harness.world.portal = "old"
    web = harness.web(allocation_tags="tier-app")
    before = dict(web.flags)
    harness.deploy()
    assert web.allocation_tags == "tier-app"
    assert web.flags == before


def test_deploying_the_current_image_changes_nothing(harness: Harness) -> None:
    """The result names what already runs, and nothing is written."""
    harness.web()
    run_result = harness.deploy("team/web:1.4.1")
    assert run_result.code == 0
    assert "Nothing to change: web already runs team/web:1.4.1" in run_result.stdout
    assert harness.world.write_attempts() == []
    assert run_result.seconds < 1.0


def test_images_are_compared_in_canonical_form(harness: Harness) -> None:
    """docker.io/team/web:1.4.1 equals team/web:1.4.1."""
    harness.web()
    assert harness.deploy("docker.io/team/web:1.4.1").code == 0
    assert harness.world.write_attempts() == []


def test_restart_replaces_every_pod_on_the_same_image(harness: Harness) -> None:
    """RESTART waits for new pods: an unchanged image proves nothing."""
    web = harness.web()
    before = {pod.name for pod in web.pods}
    run_result = harness.deploy("team/web:1.4.1", RESTART="true")
    assert run_result.code == 0
    assert "web was restarted on team/web:1.4.1" in run_result.stdout
    assert not before & {pod.name for pod in web.pods if not pod.leaving}
    assert [record.path.split("/")[-2] for record in harness.world.writes()] == [
        "ReplicationControllerReboot"
    ]


def test_restart_with_a_new_image_only_changes_the_image(harness: Harness) -> None:
    """The new image replaces the pods anyway."""
    harness.web()
    assert harness.deploy(RESTART="true").code == 0
    assert len(harness.world.writes()) == 1


def test_without_wait_the_rollout_is_not_followed(harness: Harness) -> None:
    """The run ends right after the change and does not claim that the version is ready."""
    harness.web()
    run_result = harness.deploy(WAIT="false")
    assert run_result.code == 0
    assert "without following" in run_result.stdout
    assert run_result.seconds < 1.0
    assert len(harness.world.writes()) == 1


def test_a_dry_run_prints_the_plan_and_changes_nothing(harness: Harness) -> None:
    """DRY_RUN stops after the diff."""
    harness.web()
    run_result = harness.deploy(DRY_RUN="true")
    assert run_result.code == 0
    assert "team/web:1.4.1 -> team/web:1.4.2" in run_result.log
    assert harness.world.write_attempts() == []


def test_the_tenant_is_found_by_name_in_any_case_or_by_id(harness: Harness) -> None:
    """Names are lower case in the portal, ids are GUIDs."""
    harness.web()
    tenant = harness.world.tenant("dev01")
    assert harness.deploy(TENANT="DEV01", DRY_RUN="true").code == 0
    assert harness.deploy(TENANT=tenant.id.upper(), DRY_RUN="true").code == 0


def test_progress_is_logged_at_least_every_fifteen_seconds(harness: Harness) -> None:
    """Each line names what the run waits for."""
    harness.web(replicas=1)
    harness.world.rollout_seconds = 65.0
    run_result = harness.deploy()
    assert run_result.code == 0
    assert run_result.log.count("still: 0 of 1 new pods up") == 4


def test_requests_take_at_most_a_tenth_of_the_time(harness: Harness) -> None:
    """The interval between checks grows with the portal's response time."""
    harness.web(replicas=1)
    harness.world.rollout_seconds = 60.0
    run_result = harness.deploy()
    assert len(harness.world.log) * 0.02 <= run_result.seconds / 10 + 1
