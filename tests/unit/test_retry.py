"""Retries: attempts, pauses and patience, on a clock that jumps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from pipe import retry
from pipe.errors import Refused
from pipe.kinds.send_once import SendOnce
from pipe.retry import Retryable, RetryPolicy
from tests.support.fake_clock import FakeClock

POLICY = RetryPolicy(patience=90.0, longest_pause=5.0, tries=5)


def scripted(outcomes: Sequence[str | Exception]) -> Callable[[], str]:
    """Return an operation that returns or raises the outcomes in turn."""
    remaining = list(outcomes)

    def operation() -> str:
        outcome = remaining.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return operation


def on_os_error(error: Exception) -> Retryable | None:
    """Retry operating system errors only."""
    return Retryable(f"{error}.") if isinstance(error, OSError) else None


def on_busy(result: str) -> Retryable | None:
    """Retry the result "busy", or "busy N" after N seconds."""
    word, _, pause = result.partition(" ")
    return Retryable("It is busy.", float(pause) if pause else None) if word == "busy" else None


def call(policy: RetryPolicy, clock: FakeClock, *outcomes: str | Exception) -> str:
    """Run an operation with these outcomes under the policy."""
    return policy.call(clock, scripted(outcomes), on_os_error, on_busy)


def test_the_first_good_result_is_returned_without_a_pause() -> None:
    """Nothing waits where nothing failed."""
    clock = FakeClock()
    assert call(POLICY, clock, "done") == "done"
    assert clock.slept == []


def test_temporary_errors_and_results_are_retried() -> None:
    """Both count as attempts of one operation."""
    clock = FakeClock()
    assert call(POLICY, clock, OSError("reset"), "busy", "done") == "done"
    assert clock.slept == [1.0, 2.0]


def test_pauses_double_up_to_the_longest() -> None:
    """The last result is returned when the attempts are used up."""
    clock = FakeClock()
    assert call(POLICY, clock, *["busy"] * 5) == "busy"
    assert clock.slept == [1.0, 2.0, 4.0, 5.0]


def test_the_last_error_is_raised() -> None:
    """It is the operation's own, not one of the retries."""
    clock = FakeClock()
    with pytest.raises(OSError, match="second"):
        call(RetryPolicy(90.0, 5.0, tries=2), clock, OSError("first"), OSError("second"))


def test_a_final_error_is_raised_at_once() -> None:
    """Only named conditions are retried."""
    clock = FakeClock()
    with pytest.raises(KeyError):
        call(POLICY, clock, KeyError("no"), "done")
    assert clock.slept == []


@pytest.mark.parametrize(("requested", "pause"), [("0", None), ("3", 3.0), ("600", 5.0)])
def test_a_requested_pause_replaces_the_policys_and_is_capped(
    requested: str, pause: float | None
) -> None:
    """A server that asks for ten minutes gets the longest pause."""
    clock = FakeClock()
    assert call(POLICY, clock, f"busy {requested}", "done") == "done"
    assert clock.slept == ([pause] if pause else [])


def test_no_attempt_begins_after_the_patience() -> None:
    """Pauses count as well as slow attempts."""
    clock = FakeClock()

    def slow() -> str:
        clock.advance(20.0)
        return "busy"

    policy = RetryPolicy(patience=60.0, longest_pause=5.0)
    assert policy.call(clock, slow, classify_result=on_busy) == "busy"
    assert clock.slept == [1.0, 2.0]
    assert clock.elapsed == 63.0


def test_each_retry_is_logged_with_its_reason_and_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each pause."""
    lines: list[str] = []
    monkeypatch.setattr(retry.log, "warning", lambda line, *values: lines.append(line % values))
    call(POLICY, FakeClock(), OSError("connection reset"), "busy 0", "done")
    assert lines == ["connection reset. Trying again in 1 s.", "It is busy. Trying again."]


LOST = Refused("The reply was lost.", retryable=True)
BUSY = Refused("The portal is busy.", retryable=True, may_have_applied=False)
FINAL = Refused("The portal refuses.")


def send(clock: FakeClock, outcomes: Sequence[str | Exception], *checks: bool | Exception) -> int:
    """Send a change with these outcomes and read-backs; return how many were read back."""
    operation, results = scripted(outcomes), list(checks)

    def has_arrived() -> bool:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    SendOnce(clock).send("web", lambda: void(operation()), has_arrived)
    return len(checks) - len(results)


def void(_: str) -> None:
    """Drop a result."""


def test_a_change_whose_reply_was_lost_is_not_sent_again_when_it_arrived() -> None:
    """The target is read back twice, because the portal may still be at work."""
    clock = FakeClock()
    assert send(clock, [LOST], False, True) == 2
    assert clock.slept == [2.0, 2.0]


def test_a_change_that_did_not_arrive_is_sent_again_without_another_pause() -> None:
    """The read-back has taken its time already."""
    clock = FakeClock()
    assert send(clock, [LOST, "done"], False, False) == 2
    assert clock.slept == [2.0, 2.0]


def test_a_change_that_certainly_was_not_applied_is_sent_again_without_reading_back() -> None:
    """Two seconds later."""
    clock = FakeClock()
    assert send(clock, [BUSY, BUSY, "done"]) == 0
    assert clock.slept == [2.0, 2.0]


def test_a_change_is_sent_four_times_at_most() -> None:
    """Then its last error is raised."""
    clock = FakeClock()
    with pytest.raises(Refused, match="busy"):
        send(clock, [BUSY] * 5)
    assert clock.slept == [2.0] * 3


def test_a_refused_change_is_not_sent_again() -> None:
    """Nothing is read back either."""
    clock = FakeClock()
    with pytest.raises(Refused, match="refuses"):
        send(clock, [FINAL, "done"])
    assert clock.slept == []


def test_a_change_is_not_sent_again_when_reading_back_fails() -> None:
    """It may have been applied: the error of the read ends the attempts."""
    clock = FakeClock()
    with pytest.raises(Refused, match="busy"):
        send(clock, [LOST, "done"], BUSY)
