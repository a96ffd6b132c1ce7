"""Runs that must not change anything: invalid variables, refused tokens, unknown names."""

from typing import Any

import pytest

from tests.sandbox import ApiFault
from tests.support.harness import Harness, RunResult


def assert_untouched(harness: Harness, run_result: RunResult, code: int) -> None:
    """Check that nothing was written and that the result confirms it."""
    assert run_result.code == code
    assert harness.world.write_attempts() == []
    assert "othing was changed" in run_result.stdout
    assert run_result.stdout.count("\n") == 1


def test_an_invalid_token_is_an_identity_error(harness: Harness) -> None:
    """Exit 3 names DUPLO_TOKEN and does not show the token."""
    harness.web()
    run_result = harness.deploy(DUPLO_TOKEN="not-the-right-token")
    assert_untouched(harness, run_result, 3)
    assert "DUPLO_TOKEN" in run_result.stdout
    assert "not-the-right-token" not in run_result.text


def test_a_token_without_permissions_is_an_identity_error(harness: Harness) -> None:
    """Exit 3 when both lists of tenants are refused; no fallback hides it."""
    harness.world.script(ApiFault("GET", "Tenant", status=403, body="no access", times=9))
    run_result = harness.deploy()
    assert_untouched(harness, run_result, 3)
    assert "no access" in run_result.stdout


def test_an_unknown_tenant_is_reported_with_similar_names(harness: Harness) -> None:
    """Exit 4 names TENANT and the closest match."""
    harness.world.add_tenant("prod01")
    run_result = harness.deploy(TENANT="dev1")
    assert_untouched(harness, run_result, 4)
    assert 'no tenant called "dev1". Did you mean dev01?' in run_result.stdout
    assert "Correct TENANT" in run_result.log


@pytest.mark.parametrize("portal", ["new", "old"])
def test_an_unknown_service_is_reported_with_similar_names(harness: Harness, portal: Any) -> None:
    """Exit 4 names SERVICE; both forms of "not found" are recognized."""
    harness.world.portal = portal
    harness.web()
    run_result = harness.deploy(SERVICE="Web")
    assert_untouched(harness, run_result, 4)
    assert 'no service called "Web". Did you mean web?' in run_result.stdout
    assert "Correct SERVICE" in run_result.log


def test_an_unreachable_portal_names_the_host_variable(harness: Harness) -> None:
    """Exit 4 after a few attempts."""
    harness.world.script(ApiFault(kind="refused", times=99))
    run_result = harness.deploy()
    assert_untouched(harness, run_result, 4)
    assert "portal.example" in run_result.stdout
    assert "DUPLO_HOST" in run_result.log
    assert run_result.seconds < 60


def test_a_redirect_is_not_followed(harness: Harness) -> None:
    """The token is sent to the portal only."""
    harness.web()
    harness.world.script(ApiFault(kind="redirect", location="https://evil.example/x"))
    run_result = harness.deploy()
    assert_untouched(harness, run_result, 4)
    assert "redirects to evil.example" in run_result.stdout


def test_a_page_instead_of_json_is_an_unexpected_response(harness: Harness) -> None:
    """Something between the pipe and the portal responds with HTML."""
    harness.web()
    harness.world.script(ApiFault(kind="html", times=99))
    run_result = harness.deploy()
    assert_untouched(harness, run_result, 4)
    assert "unexpected response" in run_result.stdout


def test_a_read_only_token_is_reported_as_lacking_write_access(harness: Harness) -> None:
    """Exit 4: every read works and the first write is refused."""
    web = harness.web()
    harness.world.add_token("read-only-token", read_only=True)
    run_result = harness.deploy(DUPLO_TOKEN="read-only-token")
    assert run_result.code == 4
    assert "write access" in run_result.log
    assert "Nothing was changed." in run_result.stdout
    assert web.image == "team/web:1.4.1"


def test_all_problems_are_reported_in_one_run(harness: Harness) -> None:
    """Otherwise each mistake would cost a pipeline."""
    run_result = harness.run_with(
        {
            "DUPLO_HOST": "http://portal.example",
            "DUPLO_TOKEN": "",
            "IMAGE": "$IMAGE",
            "WAIT": "yes",
            "WAIT_TIMEOUT": "15m",
            "TENANT": "dev 01",
        }
    )
    assert_untouched(harness, run_result, 2)
    assert "6 problems" not in run_result.stdout
    assert "The variables have 7 problems" in run_result.stdout
    errors = [line for line in run_result.log.splitlines() if line.startswith("ERROR")]
    names = ["DUPLO_HOST", "DUPLO_TOKEN", "TENANT", "SERVICE", "IMAGE", "WAIT", "WAIT_TIMEOUT"]
    assert [line.split()[1] for line in errors] == names
    assert harness.world.log == []
