"""The loop that follows rollouts."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from pipe.clock import Deadline
from pipe.errors import IdentityError, PipeError, Refused, Unreachable
from pipe.kind import Kind
from pipe.model import Target
from pipe.rollout import Evidence, Failed, Ready, TimedOut, Verdict, Waiting, Watcher
from pipe.rollout.loop import Sight, follow
from tests.support.fake_clock import FakeClock

WEB, API = Target(Kind.SERVICE, "web"), Target(Kind.SERVICE, "api")
DOWN = Unreachable("down")
DENIED = IdentityError("denied")
Verdicts = Mapping[Target, Verdict]


class Script(Watcher):
    """A watcher that returns or raises what it is given, each look taking some time."""

    def __init__(
        self, clock: FakeClock, *outcomes: PipeError | Mapping[Target, Verdict], takes: float = 0.0
    ) -> None:
        self.clock, self.outcomes, self.takes = clock, list(outcomes), takes
        self.looked_at: list[float] = []
        self.slow: Mapping[int, float] = {}

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        self.looked_at.append(self.clock.elapsed)
        self.clock.advance(self.slow.get(len(self.looked_at) - 1, self.takes))
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
    half: Verdicts = {WEB: Ready("up"), API: Waiting("coming")}
    done: Verdicts = {WEB: Ready("up"), API: Ready("up")}
    script = Script(FakeClock(), half, half, done)
    assert run(script) == done
    assert len(script.looked_at) == 3


def test_it_ends_as_soon_as_one_cannot_succeed() -> None:
    """The others need not be waited for."""
    bad: Verdicts = {WEB: Failed("crash"), API: Waiting("coming")}
    assert run(Script(FakeClock(), bad)) == bad


def test_looks_are_frequent_at_first() -> None:
    """There are two a second while the portal responds at once."""
    script = Script(FakeClock(), *[{WEB: Waiting("x")}] * 4, {WEB: Ready("up")})
    run(script)
    assert script.looked_at == [0.0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("takes", [0.1, 0.5, 1.0])
def test_looks_at_a_slow_portal_take_a_tenth_of_the_time(takes: float) -> None:
    """Pauses grow with the response time, once three looks have shown that it is usual."""
    waiting = [{WEB: Waiting("x")}] * 10
    script = Script(FakeClock(), *waiting, {WEB: Ready("up")}, takes=takes)
    run(script, 1000.0)
    usual = script.looked_at[2:]
    assert len(usual) * takes <= (script.clock.elapsed - usual[0]) / 10 + takes


def test_looks_that_read_more_at_every_other_time_take_a_tenth_of_the_time_too() -> None:
    waiting = [{WEB: Waiting("x")}] * 20
    script = Script(FakeClock(), *waiting, {WEB: Ready("up")}, takes=0.5)
    script.slow = dict.fromkeys(range(0, 20, 2), 1.0)
    run(script, 1000.0)
    usual = script.looked_at[3:]
    assert len(usual) * 0.75 <= (script.clock.elapsed - usual[0]) / 10 + 1.0


@pytest.mark.parametrize("slow", [0, 1, 5])
def test_one_slow_look_does_not_delay_the_next_by_more_than_seconds(slow: int) -> None:
    """It says nothing about the portal: the verdict would be late."""
    script = Script(FakeClock(), *[{WEB: Waiting("x")}] * 9, {WEB: Ready("up")})
    script.slow = {slow: 4.0}
    run(script)
    after = script.looked_at[slow + 1] - (script.looked_at[slow] + 4.0)
    assert after <= (5.5 if slow == 0 else 0.5)


def test_one_slow_look_of_three_at_most_doubles_the_pause() -> None:
    """The others take a tenth of a second, so a pause between them takes 0.9 s."""
    script = Script(FakeClock(), *[{WEB: Waiting("x")}] * 9, {WEB: Ready("up")}, takes=0.1)
    script.slow = {5: 4.0}
    run(script)
    assert script.looked_at[6] - (script.looked_at[5] + 4.0) <= 1.8 + 1e-6


def test_the_last_look_comes_exactly_when_it_is_due() -> None:
    """The loop does not sleep past the moment at which a target becomes ready."""
    script = Script(FakeClock(), {WEB: Waiting("stable", until=1000.3)}, {WEB: Ready("up")})
    run(script)
    assert script.looked_at == pytest.approx([0.0, 0.3])


@pytest.mark.parametrize("takes", [0.0, 0.125])
@pytest.mark.parametrize(
    ("due", "looks"),
    [
        (7.25, [0.0, 2.5, 5.0, 7.25]),
        (5.0, [0.0, 2.5, 5.0]),
        (3.5, [0.0, 2.0, 3.5]),
        (1.75, [0.0, 1.75]),
        (0.25, [0.0, 0.25]),
    ],
)
def test_few_looks_are_taken_while_only_time_is_missing(
    takes: float, due: float, looks: list[float]
) -> None:
    """They are where more looks would have been as well, and the last one is due."""
    calm = {WEB: Waiting("stable", until=1000.0 + due, is_calm=True)}
    script = Script(FakeClock(), *[calm] * (len(looks) - 1), {WEB: Ready("up")}, takes=takes)
    run(script)
    assert script.looked_at == pytest.approx(looks)


def test_looks_stay_frequent_while_any_target_needs_them() -> None:
    calm = Waiting("stable", until=1003.0, is_calm=True)
    both = {WEB: calm, API: Waiting("has crashed, stable", until=1003.0)}
    script = Script(FakeClock(), *[both] * 3, {WEB: Ready("up"), API: Ready("up")})
    run(script)
    assert script.looked_at == [0.0, 1.0, 2.0, 3.0]


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
def test_a_refusal_is_final_after_a_minute(refusal: PipeError) -> None:
    """A gateway may refuse for the portal while that is being upgraded."""
    assert run(Script(FakeClock(), *[refusal] * 25, {WEB: Ready("up")})) == {WEB: Ready("up")}
    script = Script(FakeClock(), refusal)
    with pytest.raises(type(refusal)):
        run(script, 900.0)
    assert 60.0 <= script.clock.elapsed < 65.0


def test_with_more_patience_a_refusal_is_final_at_the_deadline() -> None:
    """Where the end of the wait means a rollback."""
    clock = FakeClock()
    script = Script(clock, Refused("403"))
    with pytest.raises(Refused):
        follow([script], Deadline.after(clock, 900.0), clock, patience=math.inf)
    assert 900.0 <= clock.elapsed < 905.0


def test_the_minute_begins_anew_after_a_good_look() -> None:
    """Only refusals in a row count."""
    refused = [Refused("403")] * 25
    looks: list[PipeError | Verdicts] = [
        *refused,
        {WEB: Waiting("x")},
        *refused,
        {WEB: Ready("up")},
    ]
    assert run(Script(FakeClock(), *looks), 900.0) == {WEB: Ready("up")}


@pytest.mark.parametrize("until", [None, 1062.0], ids=["waiting", "complete, not yet stable"])
def test_no_target_is_waited_for_beyond_the_deadline(until: float | None) -> None:
    """Whatever its kind says; looks do not follow each other without a pause either."""
    script = Script(FakeClock(), {WEB: Waiting("1 of 2 up", until=until)})
    assert run(script, 60.0) == {WEB: TimedOut("1 of 2 up", 60.0)}
    assert script.clock.elapsed == pytest.approx(60.0)
    assert len(script.looked_at) <= 121


def test_the_last_good_look_counts_where_the_look_at_the_deadline_fails() -> None:
    """One lost reply does not make the state unknown."""
    waiting: Verdicts = {WEB: Waiting("1 of 2 up"), API: Ready("up")}
    script = Script(FakeClock(), *[waiting] * 50, DOWN)
    assert run(script, 60.0) == {WEB: TimedOut("1 of 2 up", 60.0), API: Ready("up")}


def test_a_look_long_before_the_deadline_does_not_count() -> None:
    """What became of the rollout since is unknown."""
    script = Script(FakeClock(), {WEB: Waiting("1 of 2 up")}, DOWN)
    with pytest.raises(Unreachable):
        run(script, 60.0)


def test_what_is_seen_is_kept_up_to_date() -> None:
    """For what the run says of its targets when it ends."""
    clock, sight = FakeClock(), Sight()
    script = Script(clock, DOWN, {WEB: Waiting("x")}, DOWN, {WEB: Ready("up")})
    seen: list[tuple[float | None, bool]] = []

    def sleep(seconds: float) -> None:
        seen.append((sight.seen_at, sight.is_lost))
        clock.advance(1.0)

    clock.sleep = sleep  # type: ignore[method-assign]
    follow([script], Deadline.after(clock, 60.0), clock, sight=sight)
    assert seen[0] == (None, True)
    assert (1002.0, False) in seen
    assert (1002.0, True) in seen
    assert not sight.is_lost
