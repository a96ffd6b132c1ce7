"""Losing sight of a rollout: for a while, until the time is up, or from the start."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox import ApiFault, Behaviour, World, WsgiAdapter, create_app
from tests.support.harness import HOST, Harness, at_time

PORTAL = HOST.removeprefix("https://")
REFUSALS = [(404, "default backend - 404"), (403, "<html>403 Forbidden</html>")]


def fail_reads(harness: Harness, moment: float, **fault: Any) -> None:
    """Have the list of pods fail from a moment on."""
    fault = {"times": 100_000, **fault}
    at_time(
        harness.clock, moment, lambda: harness.world.script(ApiFault("GET", "GetPods", **fault))
    )


@pytest.mark.parametrize("rollback", ["true", "false"])
@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_refusals_for_less_than_a_minute_do_not_end_a_healthy_rollout(
    harness: Harness, status: int, body: str, rollback: str
) -> None:
    """A gateway answers for a portal that is being upgraded."""
    web = harness.web()
    fail_reads(harness, 1.0, status=status, body=body, times=25)
    result = harness.deploy(ROLLBACK=rollback)
    assert (result.code, web.image) == (0, "team/web:1.4.2")
    assert result.seconds > 45.0


def test_a_minute_of_refusals_ends_the_run_with_what_was_last_seen(harness: Harness) -> None:
    """Exit 4 without ROLLBACK, long before the time is up."""
    harness.world.rollout_seconds = 30.0
    harness.web()
    fail_reads(harness, 1.0, status=403)
    result = harness.deploy()
    assert result.code == 4
    assert 60.0 <= result.seconds < 75.0
    assert "Now: web is set to team/web:1.4.2, with " in result.stdout
    assert ", when it could last be read" in result.stdout


def test_with_rollback_refusals_lead_to_it_only_when_the_time_is_up(harness: Harness) -> None:
    """Losing sight alone says nothing about the new version."""
    web = harness.web()
    sent: list[float] = []
    harness.world.listeners.append(
        lambda record: sent.append(harness.clock.elapsed) if record.method == "PUT" else None
    )
    fail_reads(harness, 1.0, status=403)
    result = harness.deploy(ROLLBACK="true", WAIT_TIMEOUT="300")
    assert (result.code, web.image) == (9, "team/web:1.4.1")
    assert sent[1] - sent[0] >= 300.0


def test_a_failed_last_look_leaves_the_look_before_to_judge_by(harness: Harness) -> None:
    """Exit 10 with evidence, not 4."""
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("unschedulable"))
    fail_reads(harness, 59.7, status=502, times=1)
    result = harness.deploy(WAIT_TIMEOUT="60")
    assert result.code == 10
    assert "did not finish within 60 s" in result.stdout
    assert result.report["evidence"]


class SlowPods(WsgiAdapter):
    """Takes its time for the list of pods, and notes how long it is given."""

    def __init__(self, harness: Harness, seconds: float) -> None:
        super().__init__(create_app(harness.world), harness.clock, latency=0.02)
        self._harness, self._seconds = harness, seconds

    def send(
        self,
        request: requests.PreparedRequest,
        *_: Any,
        stream: bool = False,
        timeout: Any = None,
        **__: Any,
    ) -> requests.Response:
        slow = "GetPods" in str(request.url)
        if slow and timeout[1] < self._seconds:
            self._harness.clock.advance(timeout[1])
            raise requests.ReadTimeout(request=request)
        if slow:
            self._harness.clock.advance(self._seconds)
        return super().send(request, stream=stream, timeout=timeout)


@pytest.mark.parametrize("seconds", [4.0, 7.0, 12.0])
def test_a_slow_portal_is_still_read_when_the_time_is_up(harness: Harness, seconds: float) -> None:
    """A read takes as long as twice the slowest good one, at most 15 s after the time limit."""
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("unschedulable"))
    harness.hosts[PORTAL] = SlowPods(harness, seconds)
    began: list[float] = []
    harness.world.listeners.append(
        lambda record: began.append(harness.clock.elapsed) if record.method == "PUT" else None
    )
    result = harness.deploy(WAIT_TIMEOUT="300")
    assert result.code == 10
    assert "Insufficient memory" in result.stdout
    assert result.report["evidence"]
    assert harness.clock.elapsed - began[0] <= 300.0 + 15.0


def test_a_rollout_that_was_never_seen_is_described_by_what_was_set(harness: Harness) -> None:
    """Not by the image and the pods from before the change."""
    harness.web()
    harness.world.intrude(
        lambda world: world.script(ApiFault("GET", "GetPods", status=500, times=10_000)),
        when=("PUT", "containerimage", 1),
    )
    result = harness.deploy(WAIT_TIMEOUT="30")
    assert result.code == 4
    assert "web was last set to team/web:1.4.2; what it runs could not be read" in result.stdout
    assert "team/web:1.4.1" not in result.stdout
    assert result.report["targets"][0]["state"].startswith("was last set to team/web:1.4.2")


@pytest.mark.parametrize("status", [403, 500])
def test_a_deploy_succeeds_without_the_list_of_faults(harness: Harness, status: int) -> None:
    """Faults only explain; one warning, and few further requests."""
    web = harness.web()
    harness.world.rollout_seconds = 30.0
    harness.world.script(ApiFault("GET", "GetFaultsByTenant", status=status, times=100_000))
    result = harness.deploy(WAIT_TIMEOUT="300")
    assert (result.code, web.image) == (0, "team/web:1.4.2")
    assert result.log.count("Faults are only hints") == 1
    assert len(harness.requests("GetFaultsByTenant")) < 15


def test_silent_faults_cost_seconds(harness: Harness) -> None:
    """The change is not held up for them."""
    harness.web()
    harness.world.script(ApiFault("GET", "GetFaultsByTenant", kind="silence", times=100_000))
    result = harness.deploy(WAIT_TIMEOUT="120")
    assert result.code == 0
    assert result.seconds < 60.0


def test_old_faults_are_no_evidence_where_they_could_not_be_read_before(harness: Harness) -> None:
    """Azure names the service, so a fault of the previous version fits the new one as well."""
    harness.web(cloud=2)
    harness.world.add_fault("web", "Back-off restarting failed container web", per_service=True)
    harness.world.script(ApiFault("GET", "GetFaultsByTenant", status=500, times=5))
    assert harness.deploy().code == 0


def test_a_change_that_replaced_another_is_what_runs(harness: Harness) -> None:
    """Exit 7, and the last line names this run's image."""

    def deploy_another(world: World) -> None:
        world.service("web").set_images({"duplo-main-container": "team/web:theirs"}, "x")

    web = harness.web()
    harness.world.intrude(deploy_another, when=("PUT", "containerimage", 1), moment="before")
    result = harness.deploy()
    assert (result.code, web.image) == (7, "team/web:1.4.2")
    assert "this run's version stays. Now: web is set to team/web:1.4.2" in result.stdout
