"""Services of every shape the platform supports, and when each is rolled out."""

from typing import Any

import pytest

from tests.sandbox import ApiFault, Behaviour
from tests.support.harness import Harness


def test_an_autoscaled_service_is_counted_by_the_portal(harness: Harness) -> None:
    """`Replicas` is not the live count under an autoscaler."""
    harness.web(replicas=1, hpa=(2, 6), hpa_replicas=4)
    result = harness.deploy()
    assert result.code == 0
    assert "4 pods up" in result.stdout


def test_an_autoscaled_service_of_an_old_portal_needs_all_previous_pods_gone(
    harness: Harness,
) -> None:
    """Without the portal's count, the minimum must be up and no previous pod left."""
    harness.world.portal = "old"
    harness.web(replicas=1, hpa=(2, 6), hpa_replicas=4)
    result = harness.deploy()
    assert result.code == 0
    assert "4 pods up" in result.stdout


def test_a_count_that_flickers_is_waited_for(harness: Harness) -> None:
    """`ReplicasActive` may briefly be absent or null, which is neither 0 nor a failure."""
    harness.web(hpa=(2, 6), hpa_replicas=3, replicas_active="flaky")
    result = harness.deploy()
    assert result.code == 0
    assert "3 pods up" in result.stdout


@pytest.mark.parametrize("counts", [True, False])
def test_a_daemon_set_has_a_pod_per_host(harness: Harness, counts: bool) -> None:
    """The count follows the hosts, not `Replicas`."""
    harness.web(replicas=1, daemonset=True, replicas_active=counts)
    result = harness.deploy()
    assert result.code == 0
    assert "3 pods up" in result.stdout


@pytest.mark.parametrize("counts", [True, False])
def test_a_service_that_matches_a_scaling_group_has_a_pod_per_host(
    harness: Harness, counts: bool
) -> None:
    """For services that follow an autoscaling group."""
    harness.web(replicas=1, asg="workers", replicas_active=counts)
    result = harness.deploy()
    assert result.code == 0
    assert "3 pods up" in result.stdout


@pytest.mark.parametrize("options", [{"replicas": 0}, {"stopped": True}])
def test_a_service_without_pods_is_ready_after_the_change(
    harness: Harness, options: dict[str, Any]
) -> None:
    """A stopped service has no pods to wait for."""
    web = harness.web(**options)
    result = harness.deploy()
    assert result.code == 0
    assert "no pods to wait for" in result.stdout
    assert web.image == "team/web:1.4.2"
    assert result.seconds < 2.0


def test_previous_pods_that_still_run_are_not_counted(harness: Harness) -> None:
    """Previous pods stay listed as running."""
    harness.web(replicas=3)
    harness.world.behave("team/web:1.4.2", Behaviour("never-ready"))
    assert harness.deploy(WAIT_TIMEOUT="60").code == 10


@pytest.mark.parametrize("prefix", ["all", "none", "half"])
def test_pods_may_show_the_canonical_image(harness: Harness, prefix: Any) -> None:
    """Docker.io/ and docker.io/library/ before the name mean the same image."""
    harness.world.image_prefix = prefix
    harness.world.add_service("web", "nginx:1.26", replicas=2)
    assert harness.deploy("nginx:1.27").code == 0


@pytest.mark.parametrize("options", [{"cloud": 2}, {"platform": 0}, {"platform": 5}])
@pytest.mark.parametrize("restart", ["false", "true"])
def test_pods_without_a_controller_are_distinguished(
    harness: Harness, options: dict[str, Any], restart: str
) -> None:
    """On Azure and native Docker no controller shows the version."""
    harness.web(**options)
    image = "team/web:1.4.1" if restart == "true" else "team/web:1.4.2"
    result = harness.deploy(image, RESTART=restart)
    assert result.code == 0
    assert "2 pods up for 5 s" in result.stdout


@pytest.mark.parametrize("restart", ["false", "true"])
def test_a_stateful_set_reuses_the_names_of_its_pods(harness: Harness, restart: str) -> None:
    """Controller and pod names stay; image and container ID show the version."""
    web = harness.web(statefulset=True, replicas=3)
    image = "team/web:1.4.1" if restart == "true" else "team/web:1.4.2"
    result = harness.deploy(image, RESTART=restart)
    assert result.code == 0
    assert web.starts == 3


def test_pods_without_a_service_name_are_found_by_their_replica_set(harness: Harness) -> None:
    """`Name` may be absent."""
    harness.world.named_pods = False
    harness.web()
    harness.world.add_service("web-api", "team/web:1.4.2")
    result = harness.deploy()
    assert result.code == 0
    assert "2 pods up" in result.stdout


def test_terminating_pods_are_ignored(harness: Harness) -> None:
    """DesiredStatus 5 means termination, whatever the present state."""
    harness.world.leave_seconds = 300.0
    harness.web()
    result = harness.deploy()
    assert result.code == 0
    assert result.seconds < 12


def test_a_pod_that_is_up_between_crashes_is_not_up(harness: Harness) -> None:
    """A crashing pod briefly has status 1 each time."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash", ready=True, up_seconds=3.0))
    assert harness.deploy("team/web:bad").code == 10


def test_native_docker_falls_back_to_the_older_call(harness: Harness) -> None:
    """The newer call may not support native Docker, so its error is not final."""
    harness.web(platform=0, allocation_tags="tier-app")
    harness.world.script(ApiFault("PUT", "containerimage", status=500, times=9))
    result = harness.deploy()
    assert result.code == 0
    assert harness.world.service("web").allocation_tags == "tier-app"


def test_a_missing_route_that_answers_500_falls_back_to_the_older_call(harness: Harness) -> None:
    """Some portals answer 500 for a route they do not have; the service is read back first."""
    harness.web(allocation_tags="tier-app")
    harness.world.script(ApiFault("PUT", "containerimage", status=500, times=99))
    result = harness.deploy()
    assert result.code == 0
    assert harness.world.service("web").allocation_tags == "tier-app"
    writes = [record.path.rpartition("/")[2] for record in harness.world.write_attempts()]
    assert writes == ["containerimage", "containerimage", "ReplicationControllerChange"]


def test_a_500_that_made_the_change_is_not_followed_by_another(harness: Harness) -> None:
    """The service shows it when it is read back."""
    web = harness.web()
    harness.world.script(ApiFault("PUT", "containerimage", status=500, times=99, acts=True))
    assert harness.deploy().code == 0
    assert len(harness.world.write_attempts()) == 1
    assert web.starts == 2


def test_a_single_500_is_no_missing_route(harness: Harness) -> None:
    """The newer call is sent again: the older one resets settings that are not sent along."""
    harness.web()
    harness.world.script(ApiFault("PUT", "containerimage", status=500, times=1))
    assert harness.deploy().code == 0
    assert "ReplicationControllerChange" not in str(harness.world.write_attempts())


def test_a_digest_decides_over_any_tag(harness: Harness) -> None:
    """An image given by digest is recognised by digest."""
    digest = "sha256:" + "ab" * 32
    harness.web()
    result = harness.deploy(f"team/web@{digest}")
    assert result.code == 0
    assert f"web runs team/web@{digest}" in result.stdout


def test_pods_of_jobs_and_of_other_services_are_ignored(harness: Harness) -> None:
    """The list of pods covers the whole tenant."""
    harness.web()
    harness.world.add_job_pod("web", "team/web:1.4.2", status=7)
    harness.world.add_service("web2", "team/web:1.4.2", replicas=5)
    result = harness.deploy()
    assert result.code == 0
    assert "2 pods up" in result.stdout


def test_sidecars_keep_their_images(harness: Harness) -> None:
    """A deploy of the main container changes nothing else."""
    web = harness.web(sidecars={"log": "team/log:3"}, inits={"migrate": "team/migrate:9"})
    assert harness.deploy().code == 0
    assert web.sidecars == {"log": "team/log:3"}
    assert web.inits == {"migrate": "team/migrate:9"}


def test_null_lists_are_empty_lists(harness: Harness) -> None:
    """A portal may return null instead of a list."""
    harness.world.null_lists = True
    harness.web(stopped=True)
    assert harness.deploy().code == 0
