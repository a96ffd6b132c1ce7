"""SIGKILL at every point of a run, followed by the next run of the same step."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.reliability.scenarios import (
    CONFIGURE,
    DEPLOY,
    DEPLOY_OLD,
    OTHER_KINDS,
    RESTART,
    RESTART_AND_CHANGE,
    ROLLBACK,
    SEEN,
    Killed,
    Scenario,
    ScenarioHarness,
    nth,
    share,
)
from tests.support.harness import RunResult

Moment = tuple[str, int]


def clean(folder: Path, scenario: Scenario) -> tuple[ScenarioHarness, RunResult]:
    """Return a run without interference."""
    harness = ScenarioHarness(folder / "clean", scenario)
    return harness, harness.run()


def moments(harness: ScenarioHarness, every: int = 5) -> Sequence[Moment]:
    """Return the moments before and after each request, and at each pause; see `share`."""
    requests: list[Moment] = [
        (when, n) for n in range(1, harness.sent + 1) for when in ("before", "after")
    ]
    pauses: list[Moment] = [("pause", n) for n in range(1, len(harness.clock.slept) + 1)]
    return share([*requests, *pauses], every)


def arm(harness: ScenarioHarness, moment: Moment) -> None:
    """Kill the next run at that moment."""
    when, number = moment
    if when == "pause":
        harness.clock.sleep = _killing(harness, number)  # type: ignore[assignment,method-assign]
    else:
        setattr(harness, when, nth(number, harness.kill))


def disarm(harness: ScenarioHarness) -> None:
    """Do not kill the next run."""
    harness.before = harness.after = lambda _: None
    harness.clock.__dict__.pop("sleep", None)


def _killing(harness: ScenarioHarness, number: int) -> Callable[[float], None]:
    sleep, count = harness.clock.sleep, 0

    def slept(seconds: float) -> None:
        nonlocal count
        count += 1
        if count == number:
            harness.kill()
        sleep(seconds)

    return slept


def killed(harness: ScenarioHarness, moment: Moment, **environ: str) -> None:
    """Run once and kill the run at `moment`."""
    arm(harness, moment)
    with pytest.raises(Killed):
        harness.run(**environ)
    harness.report()
    disarm(harness)


def again(harness: ScenarioHarness, *, survives: bool, number: int = 2) -> RunResult:
    """Run the same step again, with or without the report directory of the previous run."""
    if not survives:
        shutil.rmtree(harness.report_dir, ignore_errors=True)
    return harness.run(BITBUCKET_STEP_RUN_NUMBER=str(number))


def survive(
    model: ScenarioHarness,
    points: Sequence[Moment],
    judge: Callable[[ScenarioHarness, RunResult], Iterator[str]],
    record_property: Callable[[str, object], None],
    *,
    survives: bool,
) -> None:
    """Kill a run at each moment and run the step again; fail with all that `judge` finds wrong."""
    wrong = []
    for number, moment in enumerate(points):
        harness = ScenarioHarness(model.folder.with_name(str(number)), model.scenario)
        killed(harness, moment)
        second = again(harness, survives=survives)
        if found := list(judge(harness, second)):
            wrong.append(f"{moment}: {', '.join(found)}\n{second.text}")
    record_property("kills", len(points))
    record_property("kills_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("survives", [True, False], ids=["record", "no-record"])
@pytest.mark.parametrize(
    "scenario",
    [DEPLOY, DEPLOY_OLD, RESTART, RESTART_AND_CHANGE, CONFIGURE, SEEN, *OTHER_KINDS],
    ids=str,
)
def test_the_run_after_a_killed_one_ends_as_the_killed_one_would_have(
    tmp_path: Path,
    scenario: Scenario,
    survives: bool,
    record_property: Callable[[str, object], None],
) -> None:
    """At every request and pause: same exit code, same image, one change, no second restart."""
    model, result = clean(tmp_path, scenario)
    assert result.code == scenario.code

    def judge(harness: ScenarioHarness, second: RunResult) -> Iterator[str]:
        got = (second.code, harness.web.image, len(harness.writes()), harness.starts)
        if got != (scenario.code, scenario.left, 1, model.starts):
            yield str(got)

    survive(model, moments(model), judge, record_property, survives=survives)


@pytest.mark.parametrize("survives", [True, False], ids=["record", "no-record"])
def test_after_a_kill_during_a_rollback_the_previous_version_runs(
    tmp_path: Path, survives: bool, record_property: Callable[[str, object], None]
) -> None:
    """During the update and during the rollback: exit 8, and the previous image runs."""
    model, _ = clean(tmp_path, ROLLBACK)

    def judge(harness: ScenarioHarness, second: RunResult) -> Iterator[str]:
        if (second.code, harness.web.image) != (8, ROLLBACK.left):
            yield f"{second.code} {harness.web.image}"

    survive(model, moments(model), judge, record_property, survives=survives)


@pytest.mark.parametrize("scenario", [DEPLOY, RESTART], ids=str)
def test_two_kills_in_a_row_are_survived(
    tmp_path: Path, scenario: Scenario, record_property: Callable[[str, object], None]
) -> None:
    """The second run leaves a record as complete as the first; the third run finishes."""
    model, _ = clean(tmp_path, scenario)
    wrong = []
    points = [(m, n) for m in moments(model)[3::4] for n in (3, 5, 7)]
    for number, (first, then) in enumerate(points):
        harness = ScenarioHarness(tmp_path / str(number), scenario)
        killed(harness, first)
        with contextlib.suppress(pytest.fail.Exception):  # it may have ended earlier
            killed(harness, ("after", then), BITBUCKET_STEP_RUN_NUMBER="2")
        disarm(harness)
        third = again(harness, survives=True, number=3)
        got = (third.code, harness.web.image, len(harness.writes()), harness.starts)
        if got != (scenario.code, scenario.left, 1, model.starts):
            wrong.append(f"{first} {then}: {got}\n{third.text}")
    record_property("kills", 2 * len(points))
    record_property("kills_failed", len(wrong))
    assert not wrong, "\n".join(wrong)
