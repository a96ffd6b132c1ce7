"""Runs that must not change anything: bad variables, refused tokens, unknown names."""

import pytest

from tests.sandbox import ApiFault
from tests.support.stage import RunResult, Stage


def assert_untouched(stage: Stage, ending: RunResult, code: int) -> None:
    """Nothing was written, and the run says so."""
    assert ending.code == code
    assert stage.world.write_attempts() == []
    assert "othing was changed" in ending.result
    assert ending.result.count("\n") == 1


def test_a_wrong_token_is_an_identity_problem(stage: Stage) -> None:
    """Exit 3 names DUPLO_TOKEN and repeats the portal's words."""
    stage.web()
    ending = stage.deploy(DUPLO_TOKEN="not-the-right-token")
    assert_untouched(stage, ending, 3)
    assert "DUPLO_TOKEN" in ending.result
    assert "not-the-right-token" not in ending.text


def test_a_token_without_any_rights_is_an_identity_problem(stage: Stage) -> None:
    """Both lists of tenants refused: exit 3, and no fallback hides it (trap 25)."""
    stage.world.script(ApiFault("GET", "Tenant", status=403, body="no access", times=9))
    ending = stage.deploy()
    assert_untouched(stage, ending, 3)
    assert "no access" in ending.result


def test_an_unknown_tenant_is_named_with_near_ones(stage: Stage) -> None:
    """Exit 4 names TENANT and suggests what was probably meant."""
    stage.world.add_tenant("prod01")
    ending = stage.deploy(TENANT="dev1")
    assert_untouched(stage, ending, 4)
    assert 'no tenant called "dev1". Did you mean dev01?' in ending.result
    assert "Correct TENANT" in ending.log


@pytest.mark.parametrize("portal", ["new", "old"])
def test_an_unknown_service_is_named_with_near_ones(stage: Stage, portal: str) -> None:
    """Exit 4 names SERVICE; the two ways of saying "no such" are understood (traps 23, 29)."""
    stage.world.portal = portal
    stage.web()
    ending = stage.deploy(SERVICE="Web")
    assert_untouched(stage, ending, 4)
    assert 'no service called "Web". Did you mean web?' in ending.result
    assert "Correct SERVICE" in ending.log


def test_an_unreachable_portal_names_the_host_variable(stage: Stage) -> None:
    """Exit 4 after a few tries."""
    stage.world.script(ApiFault(kind="refused", times=99))
    ending = stage.deploy()
    assert_untouched(stage, ending, 4)
    assert "portal.example" in ending.result
    assert "DUPLO_HOST" in ending.log
    assert ending.seconds < 60


def test_a_redirect_is_not_followed(stage: Stage) -> None:
    """The token goes to the portal and nowhere else."""
    stage.web()
    stage.world.script(ApiFault(kind="redirect", location="https://evil.example/x"))
    ending = stage.deploy()
    assert_untouched(stage, ending, 4)
    assert "redirects to evil.example" in ending.result


def test_a_page_instead_of_json_is_told_as_such(stage: Stage) -> None:
    """Something between us and the portal answers with HTML."""
    stage.web()
    stage.world.script(ApiFault(kind="html", times=99))
    ending = stage.deploy()
    assert_untouched(stage, ending, 4)
    assert "unexpected response" in ending.result


def test_a_read_only_user_is_told_what_is_missing(stage: Stage) -> None:
    """Trap 27: every read works and the first write is refused; exit 4 and unchanged."""
    web = stage.web()
    stage.world.add_token("read-only-token", read_only=True)
    ending = stage.deploy(DUPLO_TOKEN="read-only-token")
    assert ending.code == 4
    assert "write access" in ending.log
    assert "Nothing was changed." in ending.result
    assert web.image == "team/web:1.4.1"


def test_all_problems_are_reported_in_one_run(stage: Stage) -> None:
    """One run per mistake would cost a pipeline each."""
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
    told = [line for line in ending.log.splitlines() if line.startswith("ERROR")]
    names = ["DUPLO_HOST", "DUPLO_TOKEN", "TENANT", "SERVICE", "IMAGE", "WAIT", "WAIT_TIMEOUT"]
    assert [line.split()[1] for line in told] == names
    assert stage.world.log == []
