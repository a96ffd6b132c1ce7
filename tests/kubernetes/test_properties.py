"""What holds for every recording, under every variant of the portal, whatever the table says."""

from __future__ import annotations

import pytest

from pipe.rollout import Ready, TimedOut
from tests.kubernetes.portal_view import VARIANTS
from tests.kubernetes.recordings import Moment, Recording, is_available, load
from tests.kubernetes.replay import STABLE_SECONDS, play
from tests.kubernetes.test_recorded_rollouts import ROWS, Row, outcome_of

_OUT_OF_STEP = 1.0
"""Seconds by which a workload's status may be ahead of its pods, or behind them."""

SERVING = [row for row in ROWS if row.verdict is Ready]


@pytest.mark.parametrize("autoscaled", [False, True], ids=["fixed", "autoscaled"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_rollout_is_ready_before_kubernetes_calls_it_available(
    variant: str, *, autoscaled: bool
) -> None:
    early = {}
    for row in ROWS:
        outcome = outcome_of(row, variant, autoscaled=autoscaled)
        fully = VARIANTS[variant].ready_is_running
        available = load(row.recording).available_since(row.start, fully=fully)
        if isinstance(outcome.verdict, Ready) and outcome.at < available:
            early[str(row)] = outcome.at, available
    assert early == {}


@pytest.mark.parametrize("autoscaled", [False, True], ids=["fixed", "autoscaled"])
@pytest.mark.parametrize("variant", VARIANTS)
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


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_state_that_lasts_is_ready_exactly_if_kubernetes_calls_it_available(row: Row) -> None:
    """Hold every moment, where the portal shows readiness, as if nothing came after it."""
    recording, wrong = load(row.recording), []
    moments = recording.rollout(row.start)
    for index, moment in enumerate(moments):
        outcome = play(
            recording,
            VARIANTS["running-means-ready"],
            start=row.start,
            restart=row.restart,
            frozen_at=moment.at,
            end=moment.at + 2 * STABLE_SECONDS,
        )
        is_ready = isinstance(outcome.verdict, Ready)
        neighbours = moments[max(0, index - 1) : index + 2]
        if is_ready not in _allowed(recording, moment, neighbours):
            wrong.append((moment.at, outcome.verdict))
    assert wrong == []


def _allowed(recording: Recording, moment: Moment, neighbours: tuple[Moment, ...]) -> set[bool]:
    """Return whether a moment is available; both where that has changed, or is about to."""
    near = [one for one in neighbours if abs(one.at - moment.at) <= _OUT_OF_STEP]
    return {is_available(one.workload, recording.kind, fully=True) for one in near}
