"""Runs that must not change anything: invalid variables, refused tokens, unknown names."""

import pytest

from tests.sandbox import ApiFault
from tests.support.stage import RunResult, Stage


def assert_untouched(stage: Stage, ending: RunResult, code: int) -> None:
    """Check that nothing was written and that the result confirms it."""
    assert ending.code == code
    assert stage.world.write_attempts() == []
    assert "othing was changed" in ending.result
    assert ending.result.count("\n") == 1


def test_an_invalid_token_is_an_identity_error(stage: Stage) -> None:
    """Exit 3 names DUPLO_TOKEN and does not show the token."""
    stage.web()
    ending = stage.deploy(DUPLO_TOKEN="not-the-right-token")
    assert_untouched(stage, ending, 3)
    assert "DUPLO_TOKEN" in ending.result
    assert "not-the-right-token" not in ending.text


def test_a_token_without_permissions_is_an_identity_error(stage: Stage) -> None:
    """Exit 3 when both lists of tenants are refused; no fallback hides it (trap 25)."""
    stage.world.script(ApiFault("GET", "Tenant", status=403, body="no access", times=9))
    ending = stage.deploy()
    assert_untouched(stage, ending, 3)
    assert "no access" in ending.result


def test_an_unknown_tenant_is_reported_with_similar_names(stage: Stage) -> None:
    """Exit 4 names TENANT and the closest match."""
    stage.world.add_tenant("prod01")
    ending = stage.deploy(TENANT="dev1")
    assert_untouched(stage, ending, 4)
    assert 'no tenant called "dev1". Did you mean dev01?' in ending.result
    assert "Correct TENANT" in ending.log


@pytest.mark.parametrize("portal", ["new", "old"])
def test_an_unknown_service_is_reported_with_similar_names(stage: Stage, portal: str) -> None:
    """Exit 4 names SERVICE; both forms of "not found" are recognized (traps 23, 29)."""
    stage.world.portal = portal
    stage.web()
    ending = stage.deploy(SERVICE="Web")
    assert_untouched(stage, ending, 4)
    assert 'no service called "Web". Did you mean web?' in ending.result
    assert "Correct SERVICE" in ending.log


def test_an_unreachable_portal_names_the_host_variable(stage: Stage) -> None:
    """Exit 4 after a few attempts."""
    stage.world.script(ApiFault(kind="refused", times=99))
    ending = stage.deploy()
    assert_untouched(stage, ending, 4)
    assert "portal.example" in ending.result
    assert "DUPLO_HOST" in ending.log
    assert ending.seconds < 60


def test_a_redirect_is_not_followed(stage: Stage) -> None:
    """The token is sent to the portal only."""
    stage.web()
    stage.world.script(ApiFault(kind="redirect", location="https://evil.example/x"))
    ending = stage.deploy()
    assert_untouched(stage, ending, 4)
    assert "redirects to evil.example" in ending.result


def test_a_page_instead_of_json_is_an_unexpected_response(stage: Stage) -> None:
    """Something between the pipe and the portal responds with HTML."""
    stage.web()
    stage.world.script(ApiFault(kind="html", times=99))
    ending = stage.deploy()
    assert_untouched(stage, ending, 4)
    assert "unexpected response" in ending.result


def test_a_read_only_token_is_reported_as_lacking_write_access(stage: Stage) -> None:
    """Exit 4: every read works and the first write is refused (trap 27)."""
    web = stage.web()
    stage.world.add_token("read-only-token", read_only=True)
    ending = stage.deploy(DUPLO_TOKEN="read-only-token")
    assert ending.code == 4
    assert "write access" in ending.log
    assert "Nothing was changed." in ending.result
    assert web.image == "team/web:1.4.1"


def test_all_problems_are_reported_in_one_run(stage: Stage) -> None:
    """Otherwise each mistake would cost a pipeline."""
    ending = stage.run_with(
        {
            "DUPLO_HOST": "http://portal.example",
            "DUPLO_TOKEN": "",
            "IMAGE": "$IMAGE",
            "WAIT": "yes",
            "WAIT_TIMEOUT": "15m",
            "TENANT": "dev 01",
        }
    )
    assert_untouched(stage, ending, 2)
    assert "6 problems" not in ending.result
    assert "The variables have 7 problems" in ending.result
    errors = [line for line in ending.log.splitlines() if line.startswith("ERROR")]
    names = ["DUPLO_HOST", "DUPLO_TOKEN", "TENANT", "SERVICE", "IMAGE", "WAIT", "WAIT_TIMEOUT"]
    assert [line.split()[1] for line in errors] == names
    assert stage.world.log == []
