"""How long calls to the portal may take while a rollout is followed."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from pipe.clock import Deadline
from pipe.errors import Unreachable
from pipe.http import HttpClient
from pipe.http.session import open_session
from pipe.portal.calls import Calls
from pipe.portal.pace import GRACE
from pipe.settings import Proxies
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import raw_server
from tests.unit.test_http import URL, Responses
from tests.unit.test_time_limit import OK, drip


class Portal(Responses):
    """Answers after so many seconds, unless that is more than it is given."""

    def __init__(self, clock: FakeClock, seconds: float = 0.0) -> None:
        super().__init__(200)
        self.clock, self.seconds = clock, seconds
        self.timeouts: list[tuple[float, float]] = []

    def send(
        self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any
    ) -> requests.Response:
        self.timeouts.append(timeout)
        self.clock.advance(min(timeout[1], self.seconds))
        if timeout[1] < self.seconds:
            raise requests.ReadTimeout
        return super().send(request)


def calls(portal: Portal) -> Calls:
    session = open_session(URL, Proxies(), adapter=portal)
    return Calls(HttpClient(URL, session, portal.clock, setting="DUPLO_HOST"), "DUPLO_TOKEN")


@pytest.mark.parametrize(("left", "read"), [(600.0, 60.0), (60.0, 30.0), (4.0, 5.0), (0.0, 5.0)])
def test_a_read_gets_half_of_the_time_left(left: float, read: float) -> None:
    """So that one silent reply does not use up all of it."""
    portal = Portal(FakeClock())
    calls(portal).until(Deadline.after(portal.clock, left)).read("x")
    assert portal.timeouts[-1][1] == read


@pytest.mark.parametrize(("slowest", "read"), [(2.0, 5.0), (7.0, 14.0), (12.0, GRACE)])
def test_a_read_gets_twice_the_time_of_the_slowest_good_answer(slowest: float, read: float) -> None:
    """But never more than the grace allows."""
    portal = Portal(FakeClock(), slowest)
    usual = calls(portal)
    usual.read("x")
    portal.seconds = 0.0
    usual.until(Deadline.after(portal.clock, 0.0)).read("x")
    assert portal.timeouts[-1][1] == read


def test_limits_are_those_of_the_moment_of_the_call() -> None:
    """A look consists of several calls, and the first may have been slow."""
    portal = Portal(FakeClock())
    hurried = calls(portal).until(Deadline.after(portal.clock, 60.0))
    hurried.read("x")
    portal.clock.advance(60.0)
    hurried.read("x")
    assert [read for _, read in portal.timeouts] == [30.0, 5.0]
    assert portal.timeouts[-1][0] <= GRACE / 3


def test_no_call_begins_after_the_grace() -> None:
    """The request is known not to have been sent."""
    portal = Portal(FakeClock())
    hurried = calls(portal).until(Deadline.after(portal.clock, 10.0))
    portal.clock.advance(10.0 + GRACE)
    with pytest.raises(Unreachable, match="The time limit passed before") as caught:
        hurried.read("x")
    assert not caught.value.may_have_applied
    assert portal.timeouts == []


def test_what_is_not_worth_a_long_wait_is_given_up_soon() -> None:
    """Retried all the same, and with time for a portal that is always slow."""
    portal = Portal(FakeClock(), 600.0)
    with pytest.raises(Unreachable):
        calls(portal).within(10.0).read("x")
    assert len(portal.timeouts) == 2
    assert portal.clock.elapsed <= 20.0


def test_what_the_run_can_do_without_is_requested_once() -> None:
    portal = Portal(FakeClock(), 600.0)
    with pytest.raises(Unreachable):
        calls(portal).within(10.0, once=True).read("x")
    assert len(portal.timeouts) == 1


@pytest.mark.parametrize(("left", "whole"), [(0.0, 10), (8.0, 10), (60.0, 60)])
def test_a_dripping_portal_does_not_extend_the_time_limit(left: float, whole: int) -> None:
    """Its headers never end."""
    clock = FakeClock()
    with raw_server(lambda _: drip(clock, OK + b"X-Slow: ", b"x")) as port:
        url = f"http://127.0.0.1:{port}"
        http = HttpClient(url, open_session(url, Proxies()), clock, setting="DUPLO_HOST")
        with pytest.raises(Unreachable, match=f"did not finish within {whole} s"):
            Calls(http, "DUPLO_TOKEN").until(Deadline.after(clock, left)).read("x")
