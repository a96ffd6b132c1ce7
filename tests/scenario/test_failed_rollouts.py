"""Rollouts that fail: reported quickly with the reason, and rolled back on request."""

from typing import Any

import pytest

from tests.kubernetes.portal_view import VARIANTS
from tests.sandbox import Behaviour
from tests.support.harness import Harness, RunResult

CRASH = Behaviour("crash", log=["reading configuration", "fatal: DATABASE_URL is not set"])
# Started after 2 s, restarted after 1 s, and again after the kubelet's back-off.
THIRD_END = 2.0 + 1.0 + 15.0


def fail(harness: Harness, behaviour: Behaviour, **options: Any) -> RunResult:
    """Deploy an image with this behaviour."""
    service = {name: options.pop(name) for name in list(options) if name.islower()}
    harness.web(**service)
    harness.world.behave("team/web:bad", behaviour)
    return harness.deploy("team/web:bad", **options)


def test_a_crashing_image_ends_the_wait_and_its_log_is_shown(harness: Harness) -> None:
    """Exit 10 names pod, fault and log lines, as soon as the container has ended a third time."""
    result = fail(harness, CRASH)
    assert result.code == 10
    assert "keeps crashing" in result.stdout
    assert "fault: Back-off restarting failed container" in result.log
    assert "| fatal: DATABASE_URL is not set" in result.log
    assert THIRD_END <= result.seconds < THIRD_END + 2.0


def test_the_result_states_what_runs_now(harness: Harness) -> None:
    """That is the first question after a failed step."""
    result = fail(harness, CRASH)
    assert "Now: web is set to team/web:bad, with 2 pods up on team/web:1.4.1" in result.stdout
    assert "IMAGE: 'team/web:1.4.1'" in result.log


def test_rollback_restores_the_previous_image_and_verifies_it(harness: Harness) -> None:
    """Exit 8 requires that the previous pods are up and stable."""
    result = fail(harness, CRASH, ROLLBACK="true")
    assert result.code == 8
    assert "Rolled back to the previous version and verified" in result.stdout
    assert harness.world.service("web").image == "team/web:1.4.1"
    assert "| fatal: DATABASE_URL is not set" in result.log


def test_evidence_is_gathered_before_the_rollback(harness: Harness) -> None:
    """The log of a failed pod is read while the pod still exists."""
    fail(harness, CRASH, ROLLBACK="true")
    paths = [record.path.split("/")[-1] for record in harness.world.log]
    assert paths.index("findContainerLogs") < len(paths) - paths[::-1].index("containerimage") - 1


def test_a_failed_rollback_has_its_own_exit_code(harness: Harness) -> None:
    """Exit 9 means that the previous version failed as well."""
    harness.web(other_docker_config={"DeploymentStrategy": {"Type": "Recreate"}})
    harness.world.behave("team/web:1.4.1", Behaviour("crash"))
    harness.world.behave("team/web:bad", CRASH)
    result = harness.deploy("team/web:bad", ROLLBACK="true")
    assert result.code == 9
    assert "Rollback failed" in result.stdout


def test_an_absent_image_ends_the_wait_within_seconds(harness: Harness) -> None:
    """The run does not wait 15 minutes for a tag that does not exist."""
    result = fail(harness, Behaviour("pull-error"))
    assert result.code == 10
    assert "cannot pull its image" in result.stdout
    assert 'Failed to pull image "team/web:bad": rpc error: code = NotFound' in result.log
    assert result.seconds < 10.0


def test_a_temporary_pull_error_does_not_end_the_wait(harness: Harness) -> None:
    """A registry that is briefly busy delays the deploy, but does not fail it."""
    fault = 'Failed to pull image "team/web:bad": toomanyrequests: rate limit'
    result = fail(harness, Behaviour("pull-error-passing", passes_after=8.0, fault=fault))
    assert result.code == 0


def test_a_single_pull_error_does_not_end_the_wait(harness: Harness) -> None:
    """A problem seen at one look is not final."""
    result = fail(harness, Behaviour("pull-error-passing", passes_after=1.5))
    assert result.code == 0


def test_broken_configuration_ends_the_wait(harness: Harness) -> None:
    """Waiting does not create a missing secret."""
    result = fail(harness, Behaviour("config-error"))
    assert result.code == 10
    assert 'secret "db-password" not found' in result.text
    assert result.seconds < 12.0


@pytest.mark.parametrize("fate", ["failed", "evicted"])
def test_a_pod_that_failed_and_was_replaced_does_not_fail_the_rollout(
    harness: Harness, fate: Any
) -> None:
    """Its object stays listed, beside the pod that its ReplicaSet made in its place."""
    assert fail(harness, Behaviour(fate, pods=1)).code == 0


def test_a_failed_pod_of_native_docker_ends_the_wait(harness: Harness) -> None:
    """There is no controller that would replace it: status 7 that lasts is final."""
    result = fail(harness, Behaviour("failed"), platform=0)
    assert result.code == 10
    assert "has failed" in result.stdout


@pytest.mark.parametrize("fate", ["failed", "evicted"])
def test_a_failed_pod_that_its_controller_replaces_is_the_reason(
    harness: Harness, fate: Any
) -> None:
    """It is waited for: the next one may stay."""
    result = fail(harness, Behaviour(fate), WAIT_TIMEOUT="60")
    assert result.code == 10
    assert "did not finish within 60 s" in result.stdout
    assert ("was evicted" if fate == "evicted" else "is being replaced") in result.stdout


@pytest.mark.parametrize(
    ("fate", "why"),
    [("never-ready", "Readiness probe failed"), ("unschedulable", "Insufficient memory")],
)
def test_a_problem_that_may_pass_is_waited_for_and_reported(
    harness: Harness, fate: Any, why: str
) -> None:
    """A probe may succeed and a node may appear later: only WAIT_TIMEOUT ends the wait."""
    harness.world.variant = VARIANTS["running-means-ready"]
    result = fail(harness, Behaviour(fate), WAIT_TIMEOUT="120")
    assert result.code == 10
    assert "did not finish within 120 s" in result.stdout
    assert why in result.stdout
    assert 120.0 <= result.seconds < 122.0


def test_a_failing_probe_is_the_reason_where_the_status_shows_no_readiness(
    harness: Harness,
) -> None:
    """The pod has status 1, and the previous pods stay: only the fault names the cause."""
    result = fail(harness, Behaviour("never-ready"), WAIT_TIMEOUT="120")
    assert result.code == 10
    assert "Readiness probe failed" in result.stdout


def test_an_unschedulable_pod_that_gets_a_node_is_not_a_failure(harness: Harness) -> None:
    """A cluster takes time to grow."""
    assert fail(harness, Behaviour("unschedulable", passes_after=100.0)).code == 0


def test_slow_replies_do_not_extend_the_time_limit(harness: Harness) -> None:
    """WAIT_TIMEOUT counts from the start of the rollout."""
    harness.world.rollout_seconds = 500.0
    harness.web()
    result = harness.deploy(WAIT_TIMEOUT="60")
    assert result.code == 10
    assert 60.0 <= result.seconds < 61.0


def test_faults_from_before_the_change_are_ignored(harness: Harness) -> None:
    """They outlive their cause."""
    web = harness.web()
    for pod in web.pods:
        harness.world.add_fault(pod.name, "Back-off restarting failed container web", severity=5)
    assert harness.deploy().code == 0


def test_a_crash_is_detected_without_container_details(harness: Harness) -> None:
    """Portals that report neither restarts nor states show it by ID and phase."""
    harness.world.pod_details = False
    result = fail(harness, CRASH)
    assert result.code == 10
    assert "keeps crashing" in result.stdout
    assert result.seconds < THIRD_END + 15.0


def test_a_crash_on_azure_is_detected_by_service(harness: Harness) -> None:
    """There faults name the service, and pods name no controller."""
    harness.world.pod_details = False
    result = fail(harness, CRASH, cloud=2)
    assert result.code == 10
    assert "Back-off restarting failed container" in result.text


def test_a_previous_fault_of_an_azure_service_is_ignored(harness: Harness) -> None:
    """Service-level faults outlive their cause."""
    harness.web(cloud=2)
    harness.world.add_fault("web", "Back-off restarting failed container web", per_service=True)
    assert harness.deploy().code == 0


def test_a_failed_restart_cannot_be_rolled_back(harness: Harness) -> None:
    """The image did not change, and the message explains that."""
    harness.web()
    harness.world.behave("team/web:1.4.1", Behaviour("crash"))
    result = harness.deploy("team/web:1.4.1", RESTART="true", ROLLBACK="true")
    assert result.code == 9
    assert "it was only restarted" in result.stdout
    assert len(harness.world.writes()) == 1


def test_a_missing_log_is_not_an_error(harness: Harness) -> None:
    """The message states that there is no log."""
    result = fail(harness, Behaviour("pull-error"))
    assert result.code == 10
    assert "The portal has no log of" in result.log
