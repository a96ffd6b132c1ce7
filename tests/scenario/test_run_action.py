"""`ACTION: run`: one command inside the tenant, and nothing changed."""

from __future__ import annotations

import pytest

from pipe.deploy_tests import CommandResult
from tests.support.harness import Harness, RunResult
from tests.support.tenant_runner import FakeTenantRunner


@pytest.fixture
def tenant(harness: Harness) -> FakeTenantRunner:
    """Return what runs the commands inside the tenant; no test here receives notifications."""
    runner = FakeTenantRunner()
    harness.dependencies |= {"tenant_runner": runner, "notification_seconds": 0.2}
    return runner


def run(harness: Harness, **variables: str) -> RunResult:
    """Run `ACTION: run` for `web`, with reports."""
    return harness.deploy("", ACTION="run", **variables)


def test_a_command_runs_in_the_image_that_runs_now(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Nothing is changed, and no job is left."""
    harness.web()
    tenant.log = ("42 rows",)
    result = run(harness, COMMAND="./report --all", RELEASE_TIMEOUT="90")
    assert result.code == 0
    (command,) = tenant.commands
    assert command.command == ("sh", "-c", "./report --all")
    assert (command.image, command.seconds, command.key) == ("team/web:1.4.1", 90.0, "run")
    assert command.environment == {"DEPLOY_IMAGE": "team/web:1.4.1"}
    assert "COMMAND | 42 rows" in result.log
    assert (
        "✔ COMMAND passed in 1.0 s, in team/web:1.4.1 with the environment of web." in result.stdout
    )
    assert harness.world.write_attempts() == []
    assert (tenant.left, tenant.cleared) == (set(), ["run"])
    assert (result.report["action"], result.report["outcome"]) == ("run", "done")
    assert [test["name"] for test in result.report["tests"]] == ["COMMAND"]


def test_an_image_of_its_own_runs_it(harness: Harness, tenant: FakeTenantRunner) -> None:
    """IMAGE replaces the one that runs."""
    harness.web()
    result = run(harness, COMMAND="./report", IMAGE="team/web:1.4.9", VERIFY_IMAGE="false")
    assert result.code == 0
    assert [command.image for command in tenant.commands] == ["team/web:1.4.9"]
    assert harness.world.service("web").image == "team/web:1.4.1"


def test_a_failed_command_ends_with_the_code_of_a_test(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Exit 6, and what it did is not denied."""
    harness.web()
    tenant.results["COMMAND"] = CommandResult(1.0, ("no such table",), status=3)
    result = run(harness, COMMAND="./report")
    assert result.code == 6
    assert "COMMAND failed with exit status 3." in result.stdout
    assert "No target was changed; what COMMAND did stays." in result.stdout
    page = (harness.report_dir / "deploy.html").read_text("utf-8")
    assert "Command failed" in page


def test_a_list_runs_without_a_shell(harness: Harness, tenant: FakeTenantRunner) -> None:
    """One entry an argument, with its blanks."""
    harness.web()
    entries = {"COMMAND_COUNT": "2", "COMMAND_0": "/app", "COMMAND_1": " --all of it "}
    assert run(harness, **entries).code == 0
    assert [command.command for command in tenant.commands] == [("/app", " --all of it ")]


def test_a_cronjob_runs_its_own_job_now(harness: Harness, tenant: FakeTenantRunner) -> None:
    """Without COMMAND it is exactly that job."""
    harness.world.cronjobs.add("nightly", "team/batch:12")
    result = run(harness, KIND="cronjob", SERVICE="nightly")
    assert result.code == 0
    (command,) = tenant.commands
    assert (command.command, command.image) == ((), "team/batch:12")
    assert not command.environment
    assert "run its own command in the tenant, in team/batch:12" in result.log


def test_a_dry_run_runs_nothing(harness: Harness, tenant: FakeTenantRunner) -> None:
    """It names what it would run, and where."""
    harness.web()
    result = run(harness, COMMAND="./report", DRY_RUN="true")
    assert result.code == 0
    assert "Plan: COMMAND: run `./report` in the tenant, in team/web:1.4.1 with" in result.log
    assert tenant.ran == []


def test_a_misspelt_target_is_refused_with_the_names_there_are(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Exit 4, before anything runs."""
    harness.web()
    result = run(harness, COMMAND="./report", SERVICE="wep")
    assert result.code == 4
    assert "Did you mean web?" in result.stdout
    assert tenant.ran == []


def test_an_interruption_deletes_the_job(harness: Harness, tenant: FakeTenantRunner) -> None:
    """The last line states it."""

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    harness.web()
    tenant.action = stop
    result = run(harness, COMMAND="./report")
    assert result.code == 11
    assert "what COMMAND did stays. The job of the command was deleted." in result.stdout


def test_its_reports_do_not_replace_those_of_a_deploy(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The JUnit file of a deploy in the same step has another name."""
    harness.web()
    assert harness.deploy().code == 0
    assert run(harness, COMMAND="./report").code == 0
    assert tenant.ran == ["COMMAND"]
    names = {path.name for path in (harness.folder / "test-results").iterdir()}
    assert names == {"deploy-dev01-web.xml", "run-dev01-web.xml"}
