"""Another deployment of the same target, at every request of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.scenarios import (
    DEPLOY,
    DEPLOY_OLD,
    NEW,
    ROLLBACK,
    SCENARIOS,
    Scenario,
    ScenarioHarness,
    nth,
    share,
)
from tests.support.harness import RunResult

THEIRS = "team/web:9.9.9"
REPLACED = "which replaced it"


def moments(model: ScenarioHarness) -> list[tuple[str, int]]:
    """Return the moments before and after every request of a run without interference."""
    return [(when, n) for n in range(1, model.sent + 1) for when in ("before", "after")]


def last_read(model: ScenarioHarness) -> int:
    """Return the number of the last request that reads the service's image."""
    reads = [
        number
        for number, record in enumerate(model.world.log, 1)
        if record.method == "GET" and "replicationcontroller" in record.path.lower()
    ]
    return reads[-1]


def is_right(
    model: ScenarioHarness, harness: ScenarioHarness, result: RunResult, moment: tuple[str, int]
) -> bool:
    """Return whether the run noticed the other deployment and left it alone."""
    if f"Plan: web: {THEIRS} -> " in result.log:
        return True  # it came before the first read, so it is the previous version
    if result.code == 7 and (harness.web.image == THEIRS or REPLACED in result.text):
        return True
    after_last_read = moment[1] > last_read(model) or moment == ("after", last_read(model))
    return after_last_read and result.code == harness.scenario.code and harness.web.image == THEIRS


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_another_deployment_is_noticed_and_never_undone(
    scenario: Scenario, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """At every request: exit 7 and their image stays, unless it comes after the last read.

    There is no request between our last read and our change, and the portal has no conditional
    updates: there ours replaces theirs, and that run ends with exit 7 as well.
    """
    model = ScenarioHarness(tmp_path / "model", scenario)
    model.run()
    wrong = []
    for when, number in (points := share(moments(model), 3)):
        harness = ScenarioHarness(tmp_path / f"{when}{number}", scenario)

        def eve(harness: ScenarioHarness = harness) -> None:
            harness.web.set_images({"duplo-main-container": THEIRS}, "eve")

        setattr(harness, when, nth(number, eve))
        result = harness.run()
        if not is_right(model, harness, result, (when, number)):
            wrong.append(f"{when} {number}: {result.code} {harness.web.image}\n{result.text}")
    record_property("cells", len(points))
    record_property("cells_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


def test_without_history_a_change_at_the_same_moment_goes_unnoticed(tmp_path: Path) -> None:
    """The only gap that the portal leaves: no request of ours falls into it, and our image runs."""
    harness = ScenarioHarness(tmp_path, DEPLOY)
    harness.web.keeps_history = False

    def eve() -> None:
        harness.web.set_images({"duplo-main-container": THEIRS}, "eve")

    harness.world.intrude(lambda _: eve(), when=("PUT", "containerimage", 1), moment="before")
    result = harness.run()
    assert (result.code, harness.web.image) == (0, NEW)


@pytest.mark.parametrize("scenario", [DEPLOY, DEPLOY_OLD, ROLLBACK], ids=str)
def test_two_runs_at_once_never_both_succeed_with_different_images(
    scenario: Scenario, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A complete second run at every request of the first: one wins, and the other reports that."""
    model = ScenarioHarness(tmp_path / "model", scenario)
    model.run()
    wrong = []
    for when, number in (points := share(moments(model), 5)):
        harness = ScenarioHarness(tmp_path / f"{when}{number}", scenario)
        second: list[RunResult] = []

        def other(harness: ScenarioHarness = harness, second: list[RunResult] = second) -> None:
            harness.before = harness.after = lambda _: None
            environ = {"IMAGE": THEIRS, "BITBUCKET_STEP_UUID": "{other}", "ROLLBACK": ""}
            second.append(harness.run(REPORT_DIR=str(tmp_path / "other"), **environ))

        setattr(harness, when, nth(number, other))
        first = harness.run()
        if not one_won(harness, first, second[0]):
            wrong.append(f"{when} {number}: {first.text}\nand: {second[0].text}")
    record_property("cells", len(points))
    record_property("cells_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


def one_won(harness: ScenarioHarness, first: RunResult, second: RunResult) -> bool:
    """Return whether at most one run succeeds, or one succeeds knowingly after the other."""
    if first.code or second.code:
        return harness.web.image in (harness.scenario.image, harness.scenario.left, THEIRS)
    return f"(previously {THEIRS})" in first.stdout or f"(previously {NEW})" in second.stdout
