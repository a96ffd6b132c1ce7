"""The recordings as Kubernetes itself shows them: the verdicts of the portal's view, but exact.

The truth table is that of the portal's view, with two differences. Readiness shows, so a rollout
is over `STABLE_SECONDS` after Kubernetes called it available, neither sooner nor later; and
Kubernetes' own deadline for progress ends a rollout that does not move.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from math import inf

import pytest

from pipe.rollout import Failed, Ready, TimedOut
from pipe.rollout.verdict import words
from tests.kubernetes.portal_view import DEFAULT, VARIANTS
from tests.kubernetes.recordings import load
from tests.kubernetes.replay import STABLE_SECONDS, Outcome, play
from tests.kubernetes.test_properties import wrong_when_held
from tests.kubernetes.test_recorded_rollouts import ROWS, Row
from tests.kubernetes.test_recorded_rollouts import outcome_of as outcome_by_portal

_LOOK = 0.5
"""Seconds between two looks, and between two moments of a recording."""
REASONS = {
    "never-ready-1": r"0 of 1 new pods ready.* web-b6878df8-wkpn9 is not ready: Readiness probe",
    "missing-volume": r'0 of 3 new pods ready.*configmap "nope" not found',
    "unschedulable": r"0 of 3 new pods ready, 1 without a node.*Insufficient cpu",
    "recreate": r"0 of 3 new pods ready",
}
GAVE_UP = Row(
    "never-ready-3", Failed, 31.0, 33.0, r"gave up .*has timed out progressing; pod .*is not ready"
)


def exact(row: Row) -> Row:
    """Return a row of the truth table as Kubernetes' own view fulfils it."""
    if row.recording == GAVE_UP.recording:
        return GAVE_UP
    if row.verdict is not Ready:
        return replace(row, reason=REASONS.get(row.recording, row.reason))
    available = max(row.start, load(row.recording).available_since(row.start, fully=True))
    earliest = available + STABLE_SECONDS - _LOOK
    reason = r"\d pods? available for 5 s, as Kubernetes reports"
    return replace(row, earliest=earliest, latest=earliest + 3 * _LOOK, reason=reason)


EXACT = [exact(row) for row in ROWS]


@cache
def outcome_of(row: Row, variant: str, gone_at: float | None = None) -> Outcome:
    """Play a row's recording; Kubernetes can be asked, until `gone_at` if that is given."""
    return play(
        load(row.recording),
        VARIANTS[variant],
        start=row.start,
        end=row.time_limit,
        restart=row.restart,
        kubernetes=True,
        gone_at=inf if gone_at is None else gone_at,
    )


@pytest.mark.parametrize("row", EXACT, ids=str)
def test_a_recorded_rollout_gets_the_verdict_that_kubernetes_gives_it(row: Row) -> None:
    """It does not matter that the portal shows next to nothing."""
    outcome = outcome_of(row, "least")
    reported = words(outcome.verdict)
    assert isinstance(outcome.verdict, row.verdict), (outcome.at, reported)
    assert row.earliest <= outcome.at <= row.latest, (outcome.at, reported)
    assert re.search(row.reason, reported)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_losing_kubernetes_in_the_middle_leaves_the_verdict_of_the_portal(row: Row) -> None:
    """The verdict is that of the truth table, about as late as by the portal's view alone."""
    alone = outcome_by_portal(row, "likeliest")
    gone_at = row.start + 0.6 * (outcome_of(exact(row), "least").at - row.start)
    outcome = outcome_of(row, "likeliest", gone_at)
    assert isinstance(outcome.verdict, row.verdict), words(outcome.verdict)
    # Pods that were not ready count as up from the first look at the portal on.
    latest = max(alone.at, gone_at + STABLE_SECONDS) + 3 * _LOOK
    assert row.earliest <= outcome.at <= latest, (gone_at, outcome.at, alone.at)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_state_that_lasts_is_ready_exactly_if_kubernetes_calls_it_available(row: Row) -> None:
    assert wrong_when_held(row, every=9, from_the_start=False, kubernetes=True) == []


RESUMED = [row for row in EXACT if row.verdict is Ready and not row.restart]


@pytest.mark.parametrize("row", RESUMED, ids=str)
def test_a_run_that_follows_what_a_killed_one_began_gets_it_right(row: Row) -> None:
    """Nothing is known from before the change."""
    recording = load(row.recording)
    available = recording.available_since(row.start, fully=True)
    first_look = row.start + 0.2 + 0.6 * max(0.0, available - row.start)
    outcome = play(
        recording, DEFAULT, start=row.start, first_look=first_look, resumed=True, kubernetes=True
    )
    assert isinstance(outcome.verdict, Ready), (first_look, outcome)
    latest = max(row.latest, first_look + STABLE_SECONDS + 1.0)
    assert row.earliest <= outcome.at <= latest, (first_look, outcome)


def test_a_rollout_that_may_crash_for_ever_is_not_given_up_by_kubernetes_either() -> None:
    recording = load("never-ready-3")
    outcome = play(recording, DEFAULT, kubernetes=True, crash_limit=0)
    assert isinstance(outcome.verdict, TimedOut)


@pytest.mark.parametrize(("latency", "seconds"), [(0.1, 6.0), (1.5, 20.0)])
def test_the_time_is_not_up_without_the_cause(latency: float, seconds: float) -> None:
    """Events are not read at every look, and few looks are taken where they are slow."""
    outcome = play(load("never-ready-1"), DEFAULT, end=seconds, latency=latency, kubernetes=True)
    assert isinstance(outcome.verdict, TimedOut)
    assert "is not ready: Readiness probe failed" in words(outcome.verdict)
