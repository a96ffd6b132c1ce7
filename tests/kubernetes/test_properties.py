"""What holds for every recording, under every variant of the portal, whatever the table holds."""

from __future__ import annotations

from math import inf

import pytest

from pipe.rollout import Ready, TimedOut, Verdict
from tests.kubernetes.portal_view import VARIANTS
from tests.kubernetes.recordings import Moment, Recording, is_available, load
from tests.kubernetes.replay import STABLE_SECONDS, is_rolled_out, play
from tests.kubernetes.test_recorded_rollouts import ROWS, Row, outcome_of

_LAG = 0.5
"""Seconds by which a workload's status may lag behind its pods: a look is not one moment."""
_OUT_OF_STEP = 1.0
"""Seconds between two lines of a recording that may show the same moment."""

CONDITIONS = [
    *((variant, False) for variant in VARIANTS),
    # Where an autoscaler makes the configured count worthless, `ReplicasActive` matters.
    *((variant, True) for variant in ("likeliest", "running-means-ready", "existing-count")),
    *((variant, True) for variant in ("older", "bare", "least")),
]

SERVING = [row for row in ROWS if row.verdict is Ready]


@pytest.mark.parametrize(("variant", "autoscaled"), CONDITIONS)
def test_no_rollout_is_ready_before_kubernetes_calls_it_available(
    variant: str, *, autoscaled: bool
) -> None:
    early = {}
    for row in ROWS:
        outcome = outcome_of(row, variant, autoscaled=autoscaled)
        fully = VARIANTS[variant].ready_is_running
        available = load(row.recording).available_since(row.start, fully=fully)
        if isinstance(outcome.verdict, Ready) and outcome.at < available - _LAG:
            early[str(row)] = outcome.at, available
    assert early == {}


@pytest.mark.parametrize("variant", ["older", "last-states", "phases-alone"])
@pytest.mark.parametrize("recording", ["crash-later", "oom"])
def test_a_crash_that_only_faults_show_prevents_success(recording: str, variant: str) -> None:
    """The pods seem to run between crashes, and the previous ones left before the first."""
    (row,) = (row for row in ROWS if row.recording == recording)
    assert not isinstance(outcome_of(row, variant).verdict, Ready)


@pytest.mark.parametrize(("variant", "autoscaled"), CONDITIONS)
def test_no_rollout_that_ends_serving_is_failed(variant: str, *, autoscaled: bool) -> None:
    outcomes = {str(row): outcome_of(row, variant, autoscaled=autoscaled) for row in SERVING}
    # On a portal that shows too little, the time may be up before success is proven.
    allowed = (Ready, TimedOut)
    failed = {
        name: outcome
        for name, outcome in outcomes.items()
        if not isinstance(outcome.verdict, allowed)
    }
    assert failed == {}


@pytest.mark.parametrize("latency", [2.5])
@pytest.mark.parametrize("variant", ["likeliest", "running-means-ready", "azure"])
def test_a_slow_portal_makes_verdicts_late_but_not_wrong(variant: str, latency: float) -> None:
    """Let every read take seconds: the looks are few, and none is of a single moment."""
    wrong = {}
    for row in ROWS:
        recording = load(row.recording)
        outcome = play(
            recording,
            VARIANTS[variant],
            start=row.start,
            end=row.time_limit,
            restart=row.restart,
            latency=latency,
        )
        time_limit = recording.length if row.time_limit is None else row.time_limit
        late = not isinstance(outcome.verdict, Ready) and outcome.at >= time_limit
        earliest = row.earliest - _LAG
        if not late and not (isinstance(outcome.verdict, row.verdict) and outcome.at >= earliest):
            wrong[str(row)] = outcome
    assert wrong == {}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_state_that_lasts_is_ready_exactly_if_kubernetes_calls_it_available(row: Row) -> None:
    """Hold every moment, where the portal shows readiness, as if nothing came after it."""
    assert wrong_when_held(row, every=1, from_the_start=False) == []


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_rollout_that_stops_is_ready_exactly_if_kubernetes_calls_it_available(row: Row) -> None:
    """Follow a rollout up to some moments, and hold those."""
    assert wrong_when_held(row, every=4, from_the_start=True) == []


def wrong_when_held(
    row: Row, *, every: int, from_the_start: bool, kubernetes: bool = False
) -> list[tuple[float, Verdict]]:
    """Return the verdicts that are wrong when a moment lasts, with the seconds of the moments."""
    recording, wrong = load(row.recording), []
    moments = recording.rollout(row.start)
    for index, moment in list(enumerate(moments))[::every]:
        outcome = play(
            recording,
            VARIANTS["running-means-ready"],
            start=row.start,
            restart=row.restart,
            first_look=row.start if from_the_start else moment.at,
            frozen_at=moment.at,
            end=moment.at + STABLE_SECONDS + 2.0,
            kubernetes=kubernetes,
        )
        is_ready = isinstance(outcome.verdict, Ready)
        was_ready_before = is_ready and outcome.at < moment.at
        neighbours = moments[max(0, index - 1) : index + 2]
        if is_ready not in _allowed(recording, moment, neighbours) and not was_ready_before:
            wrong.append((moment.at, outcome.verdict))
    return wrong


RESUMED = [row for row in SERVING if not row.restart]


@pytest.mark.parametrize("variant", ["likeliest", "running-means-ready"])
@pytest.mark.parametrize("row", RESUMED, ids=str)
def test_a_run_that_follows_what_a_killed_one_began_gets_it_right(row: Row, variant: str) -> None:
    recording = load(row.recording)
    fully = VARIANTS[variant].ready_is_running
    available = recording.available_since(row.start, fully=fully)
    for part in (0.2, 0.6, 1.0):
        first_look = row.start + 0.2 + part * (available - row.start)
        outcome = play(
            recording, VARIANTS[variant], start=row.start, first_look=first_look, resumed=True
        )
        assert isinstance(outcome.verdict, Ready), (first_look, outcome)
        latest = max(row.latest, first_look + STABLE_SECONDS + 1.0)
        assert available - _LAG <= outcome.at <= latest, (first_look, outcome)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if VARIANTS[name].controllers])
def test_a_service_that_serves_what_is_wanted_has_nothing_to_follow(variant: str) -> None:
    """Neither evicted pods' objects, nor restarts, nor the kubelet's names for images matter."""
    at_the_end = {
        row.recording: is_rolled_out(load(row.recording), VARIANTS[variant], inf) for row in SERVING
    }
    assert {name for name, is_over in at_the_end.items() if not is_over} == set()


@pytest.mark.parametrize("row", [row for row in ROWS if not row.restart], ids=str)
def test_a_rollout_that_is_not_over_has_something_to_follow(row: Row) -> None:
    recording = load(row.recording)
    for moment in recording.rollout(row.start):
        if moment.at < recording.available_since(row.start, fully=True) - _OUT_OF_STEP:
            variant = VARIANTS["running-means-ready"]
            assert not is_rolled_out(recording, variant, moment.at), moment.at


def _allowed(recording: Recording, moment: Moment, neighbours: tuple[Moment, ...]) -> set[bool]:
    """Return whether a moment is available; both where that has changed, or is about to."""
    near = [one for one in neighbours if abs(one.at - moment.at) <= _OUT_OF_STEP]
    return {is_available(one.workload, recording.kind, fully=True) for one in near}
