"""Deploy tests that run inside the tenant, as part of a whole run."""

from __future__ import annotations

import pytest

from pipe.deploy_tests import CommandResult
from pipe.errors import Refused
from pipe.jobs import TenantCommand
from tests.support.harness import Harness
from tests.support.tenant_runner import FakeTenantRunner

FAILED = CommandResult(3.0, ("expected 200, got 500",), status=1)
SMOKE = {"POST_DEPLOY_TEST": "./smoke.sh", "POST_DEPLOY_TEST_IN": "tenant"}


@pytest.fixture
def tenant(harness: Harness) -> FakeTenantRunner:
    """Return what runs the tests inside the tenant; no test here receives notifications."""
    runner = FakeTenantRunner()
    harness.dependencies |= {"tenant_runner": runner, "notification_seconds": 0.2}
    return runner


def test_tests_in_the_tenant_run_around_the_change(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """In the new image, not in the clone folder, each with the limit of a test."""
    web = harness.web()
    seen: list[str] = []
    tenant.action = lambda _: seen.append(web.image)
    result = harness.deploy(
        PRE_DEPLOY_TEST="./check.sh", PRE_DEPLOY_TEST_IN="tenant", TEST_TIMEOUT="60", **SMOKE
    )
    assert (result.code, seen) == (0, ["team/web:1.4.1", "team/web:1.4.2"])
    before, after = tenant.commands
    assert before.command == ("sh", "-c", "./check.sh")
    assert (before.setting, before.key) == ("PRE_DEPLOY_TEST", "pre")
    assert (after.setting, after.key) == ("POST_DEPLOY_TEST", "post")
    for command in (before, after):
        assert (command.image, command.seconds, command.once) == ("team/web:1.4.2", 60.0, False)
    assert [test["kind"] for test in result.report["tests"]] == ["job", "job"]


def test_a_test_in_the_tenant_gets_nothing_of_the_step(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Only the variables that describe the run, beside the target's own."""
    harness.web(lb={"Port": "8080"})
    harness.deploy(**SMOKE, GREETING="hello", AWS_ACCESS_KEY_ID="AKIA0123456789ABCDEF",
                   AWS_SECRET_ACCESS_KEY="a-secret-key-0123456789")  # fmt: skip
    (command,) = tenant.commands
    assert command.environment == {
        "DEPLOY_TENANT": "dev01",
        "DEPLOY_TARGETS": "web",
        "DEPLOY_IMAGE": "team/web:1.4.2",
        "DEPLOY_PREVIOUS_IMAGE": "team/web:1.4.1",
        "DEPLOY_URL": "https://web-dev01.apps.example.com",
    }


def test_a_test_image_replaces_the_new_image(harness: Harness, tenant: FakeTenantRunner) -> None:
    """The step needs no Docker service for it."""
    harness.web()
    result = harness.deploy(**SMOKE, POST_DEPLOY_TEST_IMAGE="team/smoke:3")
    assert result.code == 0
    assert [command.image for command in tenant.commands] == ["team/smoke:3"]


def test_a_failed_pre_deploy_test_in_the_tenant_changes_nothing(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Exit 6, and the release command does not run."""
    harness.web()
    tenant.results["PRE_DEPLOY_TEST"] = FAILED
    result = harness.deploy(
        PRE_DEPLOY_TEST="./check.sh", PRE_DEPLOY_TEST_IN="tenant", RELEASE_COMMAND="./migrate"
    )
    assert result.code == 6
    assert tenant.ran == ["PRE_DEPLOY_TEST"]
    assert harness.world.write_attempts() == []
    assert "Nothing was changed." in result.stdout


def test_a_failed_post_deploy_test_in_the_tenant_rolls_back(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """Like any other."""
    web = harness.web()
    tenant.results["POST_DEPLOY_TEST"] = FAILED
    result = harness.deploy(**SMOKE, ROLLBACK="true")
    assert (result.code, web.image) == (8, "team/web:1.4.1")
    assert "POST_DEPLOY_TEST failed with exit status 1" in result.stdout


def test_a_post_deploy_test_that_the_portal_refuses_has_failed(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The new version is untested, so it is rolled back."""

    def refuse(_: TenantCommand) -> None:
        raise Refused("The portal forbids jobs.", "Allow them.")

    web = harness.web()
    tenant.action = refuse
    result = harness.deploy(**SMOKE, ROLLBACK="true")
    assert (result.code, web.image) == (8, "team/web:1.4.1")
    assert "POST_DEPLOY_TEST did not succeed: The portal forbids jobs" in result.stdout
    assert "The test did not run. Allow them." in result.log


def test_an_interrupted_test_in_the_tenant_deletes_its_job(
    harness: Harness, tenant: FakeTenantRunner
) -> None:
    """The last line states it, after the state of the target."""

    def stop(_: TenantCommand) -> None:
        raise KeyboardInterrupt

    harness.web()
    tenant.action = stop
    result = harness.deploy(**SMOKE)
    assert result.code == 11
    assert "2 pods up on team/web:1.4.2" in result.stdout
    assert "The job of the command was deleted." in result.stdout
