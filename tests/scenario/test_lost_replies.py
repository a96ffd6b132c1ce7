"""Replies that are lost after the portal acted: the change is looked up, never sent twice."""

from typing import Any

import pytest

from tests.sandbox import ApiFault
from tests.support.harness import Harness


@pytest.mark.parametrize("portal", ["new", "old"])
@pytest.mark.parametrize("kind", ["reset-after", "silence-after"])
def test_a_change_that_was_applied_is_not_sent_again(
    harness: Harness, kind: Any, portal: Any
) -> None:
    """One write, one rollout, exit 0."""
    harness.world.portal = portal
    web = harness.web()
    path = "containerimage" if portal == "new" else "ReplicationControllerChange"
    harness.world.script(ApiFault("PUT|POST", path, kind=kind))
    result = harness.deploy()
    assert result.code == 0
    assert len(harness.world.writes()) == 1
    assert web.starts == 2
    assert "not changed a second time" in result.log


@pytest.mark.parametrize(
    "fault",
    [
        ApiFault(kind="refused"),
        ApiFault(kind="reset-before"),
        ApiFault(status=502),
        ApiFault(status=503),
        ApiFault(status=429, headers={"Retry-After": "3"}),
        ApiFault(kind="rate-exceeded"),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status}",
)
def test_a_change_that_was_not_applied_is_sent_again(harness: Harness, fault: ApiFault) -> None:
    """The service is read first; exactly one change is applied."""
    fault.method, fault.path, fault.times = "PUT", "containerimage", 1
    web = harness.web()
    harness.world.script(fault)
    result = harness.deploy()
    assert result.code == 0
    assert len(harness.world.writes()) == 1
    assert web.starts == 2


def test_a_lost_reply_to_a_restart_does_not_restart_twice(harness: Harness) -> None:
    """A restart leaves its time on the service, which shows that it was applied."""
    web = harness.web()
    harness.world.script(ApiFault("POST", "Reboot", kind="reset-after"))
    result = harness.deploy("team/web:1.4.1", RESTART="true")
    assert result.code == 0
    assert web.starts == 2


def test_a_change_that_the_portal_never_accepts_fails_the_run(harness: Harness) -> None:
    """Exit 4, and the image is unchanged."""
    web = harness.web()
    harness.world.script(ApiFault("PUT", "containerimage", status=503, times=99))
    result = harness.deploy()
    assert result.code == 4
    assert web.image == "team/web:1.4.1"


def test_a_short_outage_during_the_rollout_is_waited_out(harness: Harness) -> None:
    """An outage shorter than WAIT_TIMEOUT does not fail the deploy."""
    harness.web()
    harness.world.script(ApiFault("GET", "GetPods", kind="refused", skip=3, times=10))
    result = harness.deploy()
    assert result.code == 0
    assert "cannot check the rollout" in result.log


def test_an_outage_that_lasts_reports_that_the_change_was_made(harness: Harness) -> None:
    """Exit 4, once WAIT_TIMEOUT is over."""
    harness.web()
    harness.world.script(ApiFault("GET", "GetPods", status=503, skip=2, times=9999))
    result = harness.deploy(WAIT_TIMEOUT="60")
    assert result.code == 4
    assert "The change was made, but its rollout cannot be followed" in result.stdout
    assert result.seconds < 70


def test_a_token_that_expires_reports_that_the_change_was_made(harness: Harness) -> None:
    """Exit 4: exit 3 would mean that nothing was changed."""
    harness.web()
    harness.world.script(ApiFault("GET", "GetPods", status=401, body="expired", skip=2, times=999))
    result = harness.deploy()
    assert result.code == 4
    assert "expired" in result.stdout
    assert 60 <= result.seconds < 75


def test_an_outage_does_not_flood_the_log(harness: Harness) -> None:
    """One line when it begins, and one every fifteen seconds."""
    harness.web()
    harness.world.script(ApiFault("GET", "GetPods", status=503, skip=2, times=9999))
    result = harness.deploy(WAIT_TIMEOUT="60")
    assert 3 <= result.log.count("cannot check the rollout") <= 5
