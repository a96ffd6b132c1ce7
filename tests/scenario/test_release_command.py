"""The release command as part of a whole run: when it runs, with what, and what its end means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pipe.deploy_tests import CommandResult
from pipe.errors import ConfigError, Problem
from pipe.jobs import TenantCommand
from tests.deploy_tests.commands import FakeRunner
from tests.sandbox import ApiFault, Behaviour
from tests.support.harness import Harness, at_time
from tests.support.tenant_runner import FakeTenantRunner

MIGRATE = "./manage.py migrate"
FAILED = CommandResult(3.0, ("applying 0042", "fatal: no such column"), status=1)


@pytest.fixture
def tenant(harness: Harness) -> FakeTenantRunner:
    """Return what runs the commands inside the tenant; no test here receives notifications."""
    runner = FakeTenantRunner()
    harness.dependencies |= {"tenant_runner": runner, "notification_seconds": 0.2}
    return runner


def env_of(**variables: str) -> Mapping[str, Any]:
    """Return the configuration of a service with these variables."""
    return {"Env": [{"Name": name, "Value": value} for name, value in variables.items()]}


def interrupt(_: object = None) -> None:
    """Raise what SIGTERM and Ctrl-C become inside a run."""
    raise KeyboardInterrupt


def test_it_runs_in_the_new_image_before_any_target_changes(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """After the pre-deploy test, with its output in the log."""
    web = harness.web()
    seen: list[str] = []
    tenant.action, tenant.log = lambda _: seen.append(web.image), ("applying 0042",)
    result = harness.deploy(PRE_DEPLOY_TEST="true", RELEASE_COMMAND=MIGRATE)
    assert (result.code, seen) == (0, ["team/web:1.4.1"])
    (command,) = tenant.commands
    assert command.command == ("sh", "-c", MIGRATE)
    assert (command.image, command.seconds, command.once) == ("team/web:1.4.2", 600.0, True)
    assert command.environment == {
        "RELEASE_COMMAND": "1",
        "DEPLOY_IMAGE": "team/web:1.4.2",
        "DEPLOY_PREVIOUS_IMAGE": "team/web:1.4.1",
    }
    lines = result.log.splitlines()
    order = [
        next(number for number, line in enumerate(lines) if words in line)
        for words in (
            f"Plan: RELEASE_COMMAND: run `{MIGRATE}` in the tenant before any change, in team/web",
            "PRE_DEPLOY_TEST passed",
            "RELEASE_COMMAND | applying 0042",
            "RELEASE_COMMAND passed in 1.0 s",
            "web: changed",
        )
    ]
    assert order == sorted(order)
    assert (tenant.cleared, tenant.left) == (["release"], set())


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (FAILED, "RELEASE_COMMAND failed with exit status 1; the deploy stops here."),
        (
            CommandResult(600.0, timed_out=True),
            "RELEASE_COMMAND did not finish within 600 s and was stopped; the deploy stops here.",
        ),
        (CommandResult(2.0, signal=9, error="out of memory"), "was killed by signal 9 (SIGKILL)"),
    ],
)
def test_a_failure_stops_the_deploy_with_no_target_touched(
    harness: Harness, tenant: FakeTenantRunner, ended: CommandResult, words: str
) -> None:
    """Exit 6; what the command did meanwhile is not denied."""
    harness.web()
    tenant.results["RELEASE_COMMAND"] = ended
    result = harness.deploy(RELEASE_COMMAND=MIGRATE, ROLLBACK="true")
    assert result.code == 6
    assert harness.world.write_attempts() == []
    assert words in result.stdout
    assert "No target was changed; what RELEASE_COMMAND did stays." in result.stdout
    assert (result.report["outcome"], result.report["changed"]) == ("pre-test", False)


def test_a_command_that_could_not_start_changed_nothing(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The remedy is that of the reason."""
    harness.web()
    reason = CommandResult(9.0, error="could not start: no such image", remedy="Push it.")
    tenant.results["RELEASE_COMMAND"] = reason
    result = harness.deploy(RELEASE_COMMAND=MIGRATE)
    assert result.code == 6
    assert "could not start: no such image; the deploy stops here. Nothing was" in result.stdout
    assert "The command did not run. Push it." in result.log


def test_it_is_a_test_case_of_every_report(harness: Harness, tenant: FakeTenantRunner) -> None:
    """JUnit, the page and the record, before the rollout."""
    harness.web()
    tenant.results["RELEASE_COMMAND"] = FAILED
    result = harness.deploy(RELEASE_COMMAND=MIGRATE)
    (test,) = result.report["tests"]
    assert (test["name"], test["kind"], test["subject"]) == ("RELEASE_COMMAND", "job", MIGRATE)
    assert test["output"] == ["applying 0042", "fatal: no such column"]
    page = (harness.report_dir / "deploy.html").read_text("utf-8")
    assert "Release command failed" in page
    assert "fatal: no such column" in page
    (path,) = (harness.folder / "test-results").iterdir()
    case = ET.fromstring(path.read_text("utf-8")).find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "RELEASE_COMMAND"
    assert "fatal: no such column" in str(case.findtext("failure"))


def test_it_precedes_the_rollout_in_the_junit_report(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Cases are in the order in which they happened."""
    harness.web()
    assert harness.deploy(RELEASE_COMMAND=MIGRATE, POST_DEPLOY_TEST="true").code == 0
    assert tenant.ran == ["RELEASE_COMMAND"]
    (path,) = (harness.folder / "test-results").iterdir()
    cases = ET.fromstring(path.read_text("utf-8")).iter("testcase")
    names = [case.get("name") for case in cases]
    assert names == ["RELEASE_COMMAND", "rollout of web", "POST_DEPLOY_TEST"]


def test_the_new_environment_is_the_commands_too(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """What ENV and ENV_REMOVE change for the main container of its target, and only there."""
    harness.web(other_docker_config=env_of(OLD_FLAG="a-former-value"))
    harness.world.add_service("api", "team/web:1.4.1")
    harness.deploy(
        SERVICE="web api",
        RELEASE_COMMAND="env",
        ENV="web:SCHEMA=a-new-value\napi:OTHER=1",
        ENV_REMOVE="web:OLD_FLAG",
    )
    (command,) = tenant.commands
    assert command.environment["SCHEMA"] == "a-new-value"
    assert "OTHER" not in command.environment
    assert command.removed == {"OLD_FLAG"}


def test_values_of_its_environment_are_masked_in_its_output(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """A command that prints its environment shows no value of the target's."""
    harness.web(other_docker_config=env_of(DATABASE_URL="postgres://user:pass@db/web"))
    tenant.log = ("DATABASE_URL=postgres://user:pass@db/web",)
    result = harness.deploy(RELEASE_COMMAND="env")
    assert "RELEASE_COMMAND | DATABASE_URL=***" in result.log
    assert "postgres://" not in str(result.report)


def test_the_target_can_be_any_of_the_run(harness: Harness, tenant: FakeTenantRunner) -> None:
    """Also one that is up to date already."""
    harness.web()
    harness.world.add_service("worker", "team/web:1.4.2")
    result = harness.deploy(
        SERVICE="web worker", RELEASE_COMMAND=MIGRATE, RELEASE_TARGET="worker", RELEASE_TIMEOUT="60"
    )
    assert result.code == 0
    (command,) = tenant.commands
    assert str(command.snapshot.target) == "worker"
    assert (command.image, command.seconds) == ("team/web:1.4.2", 60.0)


def test_a_dry_run_names_it_and_runs_nothing(harness: Harness, tenant: FakeTenantRunner) -> None:
    """The plan names what would run, and where."""
    harness.web()
    result = harness.deploy(RELEASE_COMMAND=MIGRATE, DRY_RUN="true")
    assert result.code == 0
    assert f"RELEASE_COMMAND: run `{MIGRATE}` in the tenant before any change" in result.log
    assert (tenant.ran, tenant.cleared) == ([], [])


def test_without_changes_it_is_not_run(harness: Harness, tenant: FakeTenantRunner) -> None:
    """There is nothing that it would precede; what an earlier run left is removed."""
    harness.web()
    result = harness.deploy("team/web:1.4.1", RELEASE_COMMAND=MIGRATE)
    assert "Nothing to change" in result.stdout
    assert (tenant.ran, tenant.cleared) == ([], ["release"])


def test_a_run_that_resumes_a_change_does_not_repeat_it(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The change was made, so the command had succeeded before."""
    harness.web()
    at_time(harness.clock, 3.0, interrupt)
    assert harness.deploy(RELEASE_COMMAND=MIGRATE).code == 11
    assert tenant.left == {"release"}
    result = harness.deploy(RELEASE_COMMAND=MIGRATE, BITBUCKET_STEP_RUN_NUMBER="2")
    assert result.code == 0
    assert "RELEASE_COMMAND: not run again" in result.log
    assert (tenant.ran, tenant.left) == (["RELEASE_COMMAND"], set())


def test_a_run_that_ended_before_the_change_leaves_the_proof_that_it_ran(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The next attempt counts it as done."""
    harness.web()
    harness.world.script(ApiFault("PUT", "containerimage", status=403, times=1))
    assert harness.deploy(RELEASE_COMMAND=MIGRATE).code == 4
    assert tenant.left == {"release"}
    result = harness.deploy(RELEASE_COMMAND=MIGRATE, BITBUCKET_STEP_RUN_NUMBER="2")
    assert result.code == 0
    assert (tenant.ran, tenant.left) == (["RELEASE_COMMAND"], set())


def test_the_proof_stays_until_every_target_is_changed(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """One of two changes was refused: the next attempt changes the other without the command."""
    harness.web()
    harness.world.add_service("api", "team/web:1.4.1")
    harness.world.script(ApiFault("PUT", "api/containerimage", status=403, times=1))
    given = {"SERVICE": "web api", "RELEASE_COMMAND": MIGRATE}
    assert harness.deploy(**given).code == 4
    assert harness.world.service("web").image == "team/web:1.4.2"
    result = harness.deploy(**given, BITBUCKET_STEP_RUN_NUMBER="2")
    assert (result.code, harness.world.service("api").image) == (0, "team/web:1.4.2")
    assert (tenant.ran, tenant.left) == (["RELEASE_COMMAND"], set())


def test_a_failed_rollout_is_rolled_back_after_it(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The rollback restores images; the command is not undone."""
    web = harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash"))
    result = harness.deploy("team/web:bad", RELEASE_COMMAND=MIGRATE, ROLLBACK="true")
    assert (result.code, web.image) == (8, "team/web:1.4.1")
    assert (tenant.ran, tenant.left) == (["RELEASE_COMMAND"], set())


def test_another_deployment_meanwhile_is_detected(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The target is read again after the command, however long that took."""
    harness.web()
    theirs = {"duplo-main-container": "team/web:9.9.9"}
    tenant.action = lambda _: harness.world.service("web").set_images(theirs, "another-user")
    result = harness.deploy(RELEASE_COMMAND=MIGRATE)
    assert result.code == 7
    assert harness.world.write_attempts() == []
    assert "what RELEASE_COMMAND did stays" in result.stdout


def test_an_interruption_deletes_its_job(harness: Harness, tenant: FakeTenantRunner) -> None:
    """The last line states it."""
    harness.web()
    tenant.action = interrupt
    result = harness.deploy(RELEASE_COMMAND=MIGRATE)
    assert result.code == 11
    ending = "what RELEASE_COMMAND did stays. The job of the command was deleted."
    assert ending in result.stdout
    assert harness.world.write_attempts() == []


def test_a_command_that_cannot_be_run_is_refused_before_the_pre_deploy_test(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Exit 2, with nothing created."""
    harness.web()
    before = FakeRunner()
    harness.dependencies["runner"] = before
    tenant.refusal = ConfigError([Problem("RELEASE_COMMAND", "cannot be used with web", "Stop")])
    result = harness.deploy(PRE_DEPLOY_TEST="true", RELEASE_COMMAND=MIGRATE)
    assert result.code == 2
    assert "RELEASE_COMMAND cannot be used with web" in result.log
    assert (tenant.ran, before.commands) == ([], [])


def test_the_pinned_image_runs_it(harness: Harness, tenant: FakeTenantRunner) -> None:
    """What was verified is what migrates."""
    harness.web()
    pinned = f"team/web@sha256:{'1' * 64}"
    harness.deploy(pinned, RELEASE_COMMAND=MIGRATE, VERIFY_IMAGE="false")
    assert [command.image for command in tenant.commands] == [pinned]


def test_a_sidecars_change_runs_it_in_the_main_container(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The image is the main container's, which stays."""
    harness.web(sidecars={"log": "team/log:3"})
    entry = {"SERVICE": "", "IMAGE": "", "SERVICES": "web/log=team/log:4"}
    assert harness.deploy(**entry, RELEASE_COMMAND=MIGRATE).code == 0
    (command,) = tenant.commands
    assert command.image == "team/web:1.4.1"
    assert command.environment["DEPLOY_IMAGE"] == "team/web:1.4.1"


def test_a_defect_while_its_job_is_removed_does_not_change_the_end(
    harness: Harness, tenant: FakeTenantRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deploy is over."""

    def fail(_: TenantCommand) -> None:
        raise RuntimeError("a bug")

    harness.web()
    monkeypatch.setattr(tenant, "clear", fail)
    result = harness.deploy(RELEASE_COMMAND=MIGRATE)
    assert result.code == 0
    assert "Cleaning up failed because of a defect" in result.log
