"""Whole runs whose commands are jobs of the sandbox: how often each ran, and what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox import ApiFault, Behaviour, RequestRecord
from tests.sandbox.commands import Command
from tests.support.harness import Harness, RunResult, at_time

MIGRATE = "./migrate"
AGAIN = {"BITBUCKET_STEP_RUN_NUMBER": "2"}


@pytest.fixture(autouse=True)
def _quick(harness: Harness) -> None:
    """No test here receives the notifications."""
    harness.dependencies["notification_seconds"] = 0.2


def deploy(harness: Harness, **variables: str) -> RunResult:
    """Deploy `web` with a release command, in a step of Bitbucket."""
    step = {"BITBUCKET_BUILD_NUMBER": "17", "BITBUCKET_STEP_RUN_NUMBER": "1"}
    return harness.deploy(**{"RELEASE_COMMAND": MIGRATE, **step, **variables})


def changes(harness: Harness) -> list[RequestRecord]:
    """Return the writes other than those of jobs."""
    return [record for record in harness.world.writes() if "/k8s/job" not in record.path]


def interrupt() -> None:
    """Raise what SIGTERM and Ctrl-C become inside a run."""
    raise KeyboardInterrupt


def test_a_migration_runs_once_and_leaves_nothing(harness: Harness) -> None:
    """Its lines are in the log, and the rollout follows."""
    web, jobs = harness.web(), harness.world.jobs
    harness.world.command(MIGRATE, Command(seconds=5, lines=((0, "one"), (2, "two"))))
    result = deploy(harness)
    assert (result.code, web.image) == (0, "team/web:1.4.2")
    assert (jobs.runs(MIGRATE), jobs.left()) == (1, [])
    assert "RELEASE_COMMAND | one" in result.log
    assert "RELEASE_COMMAND | two" in result.log


def test_a_failed_migration_touches_no_pod(harness: Harness) -> None:
    """Exit 6, with its status; the same pods go on."""
    web, jobs = harness.web(), harness.world.jobs
    before = list(web.pods)
    harness.world.command(MIGRATE, Command(seconds=2, lines=((1, "no table"),), exit_code=3))
    result = deploy(harness)
    assert result.code == 6
    assert "RELEASE_COMMAND failed with exit status 3; the deploy stops here." in result.stdout
    assert "RELEASE_COMMAND | no table" in result.log
    assert (web.pods, changes(harness), jobs.left()) == (before, [], [])


def test_a_command_that_is_interrupted_leaves_no_job(harness: Harness) -> None:
    """Exit 11; the next run of the step starts it again."""
    harness.web()
    harness.world.command(MIGRATE, Command(seconds=60))
    at_time(harness.clock, 5.0, interrupt)
    result = deploy(harness)
    assert result.code == 11
    assert "what RELEASE_COMMAND did stays. The job web-release-17-1-" in result.stdout
    assert "was deleted" in result.stdout
    assert (changes(harness), harness.world.jobs.left()) == ([], [])


def test_a_run_that_was_refused_the_change_does_not_repeat_the_migration(harness: Harness) -> None:
    """Its completed job is the proof, until the change is made."""
    web, jobs = harness.web(), harness.world.jobs
    harness.world.script(ApiFault("PUT", "containerimage", status=403, times=1))
    assert deploy(harness).code == 4
    assert len(jobs.left()) == 1
    result = deploy(harness, **AGAIN)
    assert (result.code, web.image) == (0, "team/web:1.4.2")
    assert (jobs.runs(MIGRATE), jobs.left()) == (1, [])


def test_a_later_build_runs_it_again(harness: Harness) -> None:
    """The proof is that of one step."""
    harness.web()
    harness.world.script(ApiFault("PUT", "containerimage", status=403, times=1))
    assert deploy(harness).code == 4
    assert deploy(harness, BITBUCKET_BUILD_NUMBER="18").code == 0
    assert harness.world.jobs.runs(MIGRATE) == 2


def test_an_absent_image_ends_it_before_the_limit(harness: Harness) -> None:
    """Exit 6; nothing ran, so nothing was changed."""
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("pull-error"))
    result = deploy(harness)
    assert result.code == 6
    assert "could not be started" in result.stdout
    assert "Nothing was changed." in result.stdout
    assert result.seconds < 300
    assert (changes(harness), harness.world.jobs.left()) == ([], [])


def test_a_permission_set_that_forbids_jobs_is_named_before_the_pre_deploy_test(
    harness: Harness,
) -> None:
    """Exit 4, with nothing created."""
    harness.web()
    harness.world.jobs.denied = frozenset({"GET", "POST", "DELETE"})
    result = deploy(harness, PRE_DEPLOY_TEST="touch ran")
    assert result.code == 4
    assert "permission set" in result.log
    assert not (harness.folder / "ran").exists()


def test_a_service_on_plain_docker_hosts_is_refused(harness: Harness) -> None:
    """Exit 2, with the alternative."""
    harness.web(platform=0)
    result = deploy(harness, PRE_DEPLOY_TEST="touch ran")
    assert result.code == 2
    assert "RELEASE_COMMAND cannot run: web runs on plain Docker hosts" in result.log
    assert not (harness.folder / "ran").exists()


def test_the_new_environment_is_in_the_job(harness: Harness) -> None:
    """Values of ENV replace the service's own, and what ENV_REMOVE names is gone."""
    present = [{"Name": "LOG", "Value": "info"}, {"Name": "OLD_FLAG", "Value": "yes-indeed"}]
    harness.web(other_docker_config={"Env": present})
    deploy(harness, ENV="LOG=debug-sql", ENV_REMOVE="OLD_FLAG")
    (created,) = (one.body for one in harness.requests("k8s/job") if one.method == "POST")
    (container,) = created["spec"]["template"]["spec"]["containers"]
    values = {entry["name"]: entry["value"] for entry in container["env"]}
    assert values == {
        "LOG": "debug-sql",
        "RELEASE_COMMAND": "1",
        "DEPLOY_IMAGE": "team/web:1.4.2",
        "DEPLOY_PREVIOUS_IMAGE": "team/web:1.4.1",
    }


def test_a_failed_test_in_the_tenant_rolls_back(harness: Harness) -> None:
    """It runs in its own image, with the new version behind it."""
    web = harness.web()
    harness.world.command("./smoke", Command(exit_code=1, lines=((0, "expected 200, got 500"),)))
    result = harness.deploy(
        POST_DEPLOY_TEST="./smoke",
        POST_DEPLOY_TEST_IN="tenant",
        POST_DEPLOY_TEST_IMAGE="team/smoke:3",
        ROLLBACK="true",
    )
    assert (result.code, web.image) == (8, "team/web:1.4.1")
    assert "POST_DEPLOY_TEST | expected 200, got 500" in result.log
    assert (harness.world.jobs.runs("team/smoke:3"), harness.world.jobs.left()) == (1, [])


def test_a_one_off_command_changes_nothing(harness: Harness) -> None:
    """It runs in the image that runs now."""
    harness.web()
    harness.world.command("./report", Command(lines=((0, "42 rows"),)))
    result = harness.deploy("", ACTION="run", COMMAND="./report")
    assert result.code == 0
    assert "COMMAND | 42 rows" in result.log
    assert (harness.world.jobs.runs("team/web:1.4.1"), harness.world.jobs.left()) == (1, [])
    assert changes(harness) == []


def test_a_cronjobs_own_job_runs_now(harness: Harness) -> None:
    """As it is, apart from its name."""
    harness.world.cronjobs.add("nightly", "team/batch:12")
    result = harness.deploy("", ACTION="run", KIND="cronjob", SERVICE="nightly")
    assert result.code == 0
    assert (harness.world.jobs.runs("team/batch:12"), harness.world.jobs.left()) == (1, [])


@pytest.mark.parametrize("view", ["auto", "false"])
def test_kubernetes_is_asked_for_the_end_of_a_command_where_the_portal_hides_it(
    tmp_path: Path, view: str
) -> None:
    """A program without a shell does not report its status in the log."""
    harness = Harness(tmp_path, kubernetes=True)
    harness.web()
    harness.world.jobs.drops_failed = True
    harness.world.command("./migrate", Command(exit_code=3))
    variables = {"RELEASE_COMMAND_COUNT": "1", "RELEASE_COMMAND_0": "./migrate"}
    result = harness.deploy(**variables, KUBERNETES=view)
    assert result.code == 6
    shown = "failed with exit status 3" if view == "auto" else "the portal shows no exit status"
    assert shown in result.log
