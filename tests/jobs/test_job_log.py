"""The log of a job: every line once, from answers that hold only its last lines."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe.deploy_tests.lines import Lines
from pipe.errors import Unreachable
from pipe.jobs.log import TAIL, LogStream, overlap

words = st.lists(st.sampled_from(["a", "b", "", "ab"]), max_size=12)


def stream() -> tuple[LogStream, list[str]]:
    """A stream, and the lines that it writes."""
    written: list[str] = []
    return LogStream(Lines(written.append, lambda text: text)), written


def poll(log: LogStream, answer: Sequence[str] | None, container: str = "c") -> bool:
    """Have the stream read an answer."""
    return log.poll(lambda _id, _lines: answer, container)


def test_lines_are_written_once_as_the_log_grows() -> None:
    log, written = stream()
    for answer in (["one"], ["one"], ["one", "two", "three"]):
        poll(log, answer)
    assert written == ["one", "two", "three"]


def test_lines_are_written_once_where_the_answer_drops_the_first_ones() -> None:
    log, written = stream()
    poll(log, ["1", "2", "3", "4"])
    poll(log, ["3", "4", "5", "6"])
    assert written == ["1", "2", "3", "4", "5", "6"]


def test_a_gap_between_two_answers_is_noted() -> None:
    log, written = stream()
    poll(log, ["1", "2"])
    poll(log, ["8", "9"])
    assert written == [
        "1",
        "2",
        f"[lines are missing here: the portal shows no more than the last {TAIL}]",
        "8",
        "9",
    ]


def test_a_line_that_was_incomplete_is_written_again_when_it_is_complete() -> None:
    log, written = stream()
    poll(log, ["start", "50"])
    poll(log, ["start", "50 % done", "end"])
    assert written == ["start", "50", "50 % done", "end"]


def test_an_incomplete_first_line_is_no_gap() -> None:
    log, written = stream()
    poll(log, ["50"])
    poll(log, ["50 % done"])
    assert written == ["50", "50 % done"]


def test_the_log_of_another_container_is_written_from_its_beginning() -> None:
    log, written = stream()
    poll(log, ["one"], "first")
    poll(log, ["one"], "second")
    note = "[Kubernetes started the command again; the log of that start follows]"
    assert written == ["one", note, "one"]


def test_the_report_of_the_shell_is_read_and_not_shown() -> None:
    log, written = stream()
    poll(log, ["no line break[deploy-pipe: exit status 3]"])
    poll(log, ["no line break[deploy-pipe: exit status 3]"])
    assert (written, log.status) == (["no line break"], 3)


def test_hostile_text_stays_in_its_line() -> None:
    log, written = stream()
    poll(log, ["\x1b[2Jcleared", "a\u2028b\ud800", "x" * 100_000])
    assert written[0] == "cleared"
    assert len(written) == 3
    assert all(len(line) < 5000 for line in written)


def test_a_portal_that_stays_silent_is_asked_less_and_less() -> None:
    log, _ = stream()
    asked: list[str] = []

    def silence(container: str, lines: int) -> Sequence[str]:
        del lines
        asked.append(container)
        raise Unreachable("silence")

    for _ in range(60):
        log.poll(silence, "c")
    assert 3 <= len(asked) <= 8
    log.poll(silence, "c", insist=True)
    assert len(asked) <= 9


def test_no_log_yet_is_no_empty_log() -> None:
    log, written = stream()
    assert not poll(log, None)
    assert (log.was_read, written) == (False, [])


@given(words, words, st.integers(0, 12))
def test_the_overlap_is_the_longest_there_is(last: list[str], more: list[str], drop: int) -> None:
    """Or the next line continues the last one, as a line that was incomplete."""
    current = [*last, *more][min(drop, len(last)) :]
    found = overlap(last, current)
    lengths = [
        length
        for length in range(min(len(last), len(current)) + 1)
        if last[len(last) - length :] == current[:length]
    ]
    assert max(lengths) <= found <= len(last)


@pytest.mark.parametrize("line", ["same", ""])
def test_a_long_log_of_equal_lines_is_compared_in_linear_time(line: str) -> None:
    assert overlap([line] * 20_000, [line] * 20_000) == 20_000
