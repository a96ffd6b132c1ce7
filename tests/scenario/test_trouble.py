"""Rollouts that do not work out: told why, quickly, and put back when asked."""

from typing import Any

import pytest

from tests.sandbox import Behaviour
from tests.support.stage import RunResult, Stage

CRASH = Behaviour("crash", log=["reading configuration", "fatal: DATABASE_URL is not set"])


def fail(stage: Stage, behaviour: Behaviour, **options: Any) -> RunResult:
    """Deploy an image that behaves like this."""
    service = {name: options.pop(name) for name in list(options) if name.islower()}
    stage.web(**service)
    stage.world.behave("team/web:bad", behaviour)
    return stage.deploy("team/web:bad", **options)


def test_a_crashing_image_ends_the_wait_with_its_last_words(stage: Stage) -> None:
    """Exit 10 names pod, fault and log lines, within ten seconds of the first crash."""
    ending = fail(stage, CRASH)
    assert ending.code == 10
    assert "keeps crashing" in ending.result
    assert "fault: Back-off restarting failed container" in ending.log
    assert "| fatal: DATABASE_URL is not set" in ending.log
    assert ending.seconds < 2.0 + 1.0 + 10.0


def test_what_runs_now_is_stated(stage: Stage) -> None:
    """The result line answers the first question after a red step."""
    ending = fail(stage, CRASH)
    assert "Now: web is set to team/web:bad, with 2 pods up on team/web:1.4.1" in ending.result
    assert "IMAGE: 'team/web:1.4.1'" in ending.log


def test_rollback_puts_the_old_image_back_and_verifies_it(stage: Stage) -> None:
    """Exit 8 only with the old pods up and stable."""
    ending = fail(stage, CRASH, ROLLBACK="true")
    assert ending.code == 8
    assert "Rolled back to the previous version and verified" in ending.result
    assert stage.world.service("web").image == "team/web:1.4.1"
    assert "| fatal: DATABASE_URL is not set" in ending.log


def test_evidence_comes_before_the_way_back(stage: Stage) -> None:
    """The log of a failed pod is read while the pod still exists."""
    fail(stage, CRASH, ROLLBACK="true")
    paths = [record.path.split("/")[-1] for record in stage.world.log]
    assert paths.index("findContainerLogs") < len(paths) - paths[::-1].index("containerimage") - 1


def test_a_way_back_that_fails_is_told_apart(stage: Stage) -> None:
    """Exit 9 when the old version does not come up either."""
    stage.world.behave("team/web:1.4.1", Behaviour("crash"))
    ending = fail(stage, CRASH, ROLLBACK="true", statefulset=True, replicas=1)
    assert ending.code == 9
    assert "Rollback failed" in ending.result


def test_an_absent_image_ends_the_wait_within_seconds(stage: Stage) -> None:
    """Nobody waits 15 minutes for a tag that does not exist."""
    ending = fail(stage, Behaviour("pull-error"))
    assert ending.code == 10
    assert "cannot pull its image" in ending.result
    assert 'Failed to pull image "team/web:bad": not found' in ending.log
    assert ending.seconds < 10.0


def test_a_first_passing_pull_error_does_not_end_the_wait(stage: Stage) -> None:
    """A registry that was busy for a moment costs patience, not the deploy."""
    fault = 'Failed to pull image "team/web:bad": toomanyrequests: rate limit'
    ending = fail(stage, Behaviour("pull-error-passing", passes_after=8.0, fault=fault))
    assert ending.code == 0


def test_a_pull_error_that_passes_at_once_is_no_trouble(stage: Stage) -> None:
    """One bad look is none."""
    ending = fail(stage, Behaviour("pull-error-passing", passes_after=1.5))
    assert ending.code == 0


def test_broken_configuration_ends_the_wait(stage: Stage) -> None:
    """A secret that is missing does not appear by waiting."""
    ending = fail(stage, Behaviour("config-error"))
    assert ending.code == 10
    assert 'secret "db-password" not found' in ending.text
    assert ending.seconds < 12.0


def test_a_failed_pod_ends_the_wait(stage: Stage) -> None:
    """Status 7 that stays is the end."""
    ending = fail(stage, Behaviour("failed"))
    assert ending.code == 10
    assert "has failed" in ending.result


@pytest.mark.parametrize(
    ("fate", "why"),
    [("never-ready", "Readiness probe failed"), ("unschedulable", "Insufficient memory")],
)
def test_what_may_pass_is_waited_for_and_named(stage: Stage, fate: Any, why: str) -> None:
    """Probes and missing hosts may mend themselves: only WAIT_TIMEOUT ends that, and says why."""
    ending = fail(stage, Behaviour(fate), WAIT_TIMEOUT="120")
    assert ending.code == 10
    assert "did not finish within 120 s" in ending.result
    assert why in ending.result
    assert 120.0 <= ending.seconds < 122.0


def test_an_unschedulable_pod_that_finds_a_host_is_fine(stage: Stage) -> None:
    """A cluster that grows takes its time."""
    assert fail(stage, Behaviour("unschedulable", passes_after=100.0)).code == 0


def test_the_deadline_is_a_real_one(stage: Stage) -> None:
    """Slow answers do not stretch WAIT_TIMEOUT."""
    stage.world.rollout_seconds = 500.0
    stage.web()
    ending = stage.deploy(WAIT_TIMEOUT="60")
    assert ending.code == 10
    assert 60.0 <= ending.seconds < 61.0


def test_stale_faults_are_not_ours(stage: Stage) -> None:
    """Faults from before the change are ignored, whatever they say (trap 13)."""
    web = stage.web()
    for pod in web.pods:
        stage.world.add_fault(pod.name, "Back-off restarting failed container web", severity=5)
    assert stage.deploy().code == 0


def test_a_crash_is_seen_without_container_details(stage: Stage) -> None:
    """Portals that tell neither restarts nor states still show it by phase and fault."""
    stage.world.pod_details = False
    ending = fail(stage, CRASH)
    assert ending.code == 10
    assert "keeps crashing" in ending.result
    assert ending.seconds < 2.0 + 1.0 + 10.0


def test_a_crash_on_azure_is_seen_by_service(stage: Stage) -> None:
    """There faults are filed under the service, and pods name no controller (trap 8)."""
    stage.world.pod_details = False
    ending = fail(stage, CRASH, cloud=2)
    assert ending.code == 10
    assert "Back-off restarting failed container" in ending.text


def test_an_old_fault_of_an_azure_service_is_not_ours(stage: Stage) -> None:
    """Service-level faults outlive their cause."""
    stage.web(cloud=2)
    stage.world.add_fault("web", "Back-off restarting failed container web", per_service=True)
    assert stage.deploy().code == 0


def test_a_failed_restart_has_nothing_to_put_back(stage: Stage) -> None:
    """The image did not change, so ROLLBACK cannot help and says so."""
    stage.web()
    stage.world.behave("team/web:1.4.1", Behaviour("crash"))
    ending = stage.deploy("team/web:1.4.1", RESTART="true", ROLLBACK="true")
    assert ending.code == 9
    assert "it was only restarted" in ending.result
    assert len(stage.world.writes()) == 1


def test_logs_that_the_portal_does_not_give_are_no_error(stage: Stage) -> None:
    """Trap 14: no log is told as no log."""
    ending = fail(stage, Behaviour("pull-error"))
    assert ending.code == 10
    assert "The portal has no log of" in ending.log
