"""The loop that follows rollouts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipe.clock import Deadline
from pipe.errors import IdentityError, PipeError, Refused, Unreachable
from pipe.kind import Kind
from pipe.model import Target
from pipe.rollout import Evidence, Failed, Ready, Verdict, Waiting, Watcher
from pipe.rollout.loop import follow
from tests.support.fake_clock import FakeClock

WEB, API = Target(Kind.SERVICE, "web"), Target(Kind.SERVICE, "api")
DOWN = Unreachable("down")
DENIED = IdentityError("denied")


class Script(Watcher):
    """A watcher that returns or raises what it is given, each look taking some time."""

    def __init__(
        self, clock: FakeClock, *outcomes: PipeError | Mapping[Target, Verdict], takes: float = 0.0
    ) -> None:
        self.clock, self.outcomes, self.takes = clock, list(outcomes), takes
        self.looked_at: list[float] = []

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        self.looked_at.append(self.clock.elapsed)
        self.clock.advance(self.takes)
        now = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(now, PipeError):
            raise now
        return now

    def state(self, target: Target) -> str:
        return str(target)

    def evidence(self, target: Target, verdict: Verdict, deadline: Deadline) -> Evidence:
        return Evidence(target)


def run(script: Script, seconds: float = 100.0) -> Mapping[Target, Verdict]:
    """Follow one watcher."""
    clock = script.clock
    return follow([script], Deadline.after(clock, seconds), clock)


def test_it_ends_when_all_are_ready() -> None:
    """A target that still waits keeps the loop going."""
    half = {WEB: Ready("up"), API: Waiting("coming")}
    done = {WEB: Ready("up"), API: Ready("up")}
    script = Script(FakeClock(), half, half, done)
    assert run(script) == done
    assert len(script.looked_at) == 3


def test_it_ends_as_soon_as_one_cannot_succeed() -> None:
    """The others need not be waited for."""
    bad = {WEB: Failed("crash"), API: Waiting("coming")}
    assert run(Script(FakeClock(), bad)) == bad


def test_looks_are_frequent_at_first() -> None:
    """There are two a second while the portal responds at once."""
    script = Script(FakeClock(), *[{WEB: Waiting("x")}] * 4, {WEB: Ready("up")})
    run(script)
    assert script.looked_at == [0.0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("takes", [0.1, 0.5, 1.0])
def test_looks_at_a_slow_portal_take_a_tenth_of_the_time(takes: float) -> None:
    """Pauses grow with the response time."""
    waiting = [{WEB: Waiting("x")}] * 10
    script = Script(FakeClock(), *waiting, {WEB: Ready("up")}, takes=takes)
    run(script, 1000.0)
    assert len(script.looked_at) * takes <= script.clock.elapsed / 10 + takes


def test_the_last_look_comes_exactly_when_it_is_due() -> None:
    """The loop does not sleep past the moment at which a target becomes ready."""
    script = Script(FakeClock(), {WEB: Waiting("stable", until=1000.3)}, {WEB: Ready("up")})
    run(script)
    assert script.looked_at == pytest.approx([0.0, 0.3])


def test_an_outage_is_waited_for() -> None:
    """Connection errors do not mean that the rollout failed."""
    script = Script(FakeClock(), *[DOWN] * 20, {WEB: Ready("up")})
    assert run(script) == {WEB: Ready("up")}


def test_an_outage_ends_at_the_deadline() -> None:
    """The outage is the error."""
    script = Script(FakeClock(), DOWN)
    with pytest.raises(Unreachable):
        run(script, 60.0)
    assert 60.0 <= script.clock.elapsed < 61.0


@pytest.mark.parametrize("refusal", [DENIED, Refused("403")], ids=["identity", "rights"])
def test_a_refusal_is_final_the_second_time(refusal: PipeError) -> None:
    """A single one may be a hiccup of the portal's sign-in."""
    assert run(Script(FakeClock(), refusal, {WEB: Ready("up")})) == {WEB: Ready("up")}
    with pytest.raises(type(refusal)):
        run(Script(FakeClock(), refusal))
