"""Exceptions raised inside the pipe after the change: the rollback that was requested happens.

Every call that a run makes after its first write is found by watching a run without exceptions.
Each is then made to fail, before it acts and after it has acted.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipe import report
from pipe.deploy import evidence, outcome
from pipe.deploy.changes import AppliedChanges
from pipe.deploy.current_state import CurrentState
from pipe.deploy.rollback import Rollback
from pipe.deploy_tests import DeployTests
from pipe.errors import ConfigError, IdentityError, PipeError, Problem
from pipe.kinds import Drivers
from pipe.kinds.ecs.watcher import EcsWatcher
from pipe.kinds.resource_watcher import ResourceWatcher
from pipe.kinds.service.watcher import ServiceWatcher
from pipe.notify.notifications import Notifications
from pipe.report import Recorder
from pipe.rollout.progress import ProgressLog
from tests.reliability.scenarios import (
    DEPLOY,
    FAILED,
    FULL,
    OTHER_KINDS,
    ROLLBACK,
    Scenario,
    ScenarioHarness,
    share,
)
from tests.support.harness import RunResult

WATCHER = ("look", "state", "evidence", "pod_counts")
CALLS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "applied": (AppliedChanges, ("apply",)),
    "drivers": (Drivers, ("read", "prepare", "change", "watch")),
    "service": (ServiceWatcher, WATCHER),
    "ecs": (EcsWatcher, WATCHER),
    "resource": (ResourceWatcher, WATCHER[:3]),
    "progress": (ProgressLog, ("show", "wait")),
    "recorder": (
        Recorder,
        ("followed", "judged", "explained", "rolled_back", "variables", "finished", "record"),
    ),
    "tests": (DeployTests, ("after",)),
    "evidence": (evidence, ("_log",)),
    "outcome": (
        outcome,
        (
            *("failed_rollouts", "superseded", "rollout_error", "advice", "success"),
            *("after_change", "rollback_error"),
        ),
    ),
    "state": (CurrentState, ("of", "describe")),
    "report": (report, ("write", "write_tests")),
    "notifications": (Notifications, ("ended",)),
}
ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: RuntimeError("injected"),
    MemoryError,
    lambda: RecursionError("injected"),
    lambda: ConfigError([Problem("POST_DEPLOY_TEST_IMAGE", "needs a Docker service")]),
    lambda: IdentityError("The injected token expired."),
)
WRITES = ("applied.apply", "drivers.change")
WORDS = ("outcome.after_change", "outcome.rollback_error")
"""Words about a rollback that is over: without them the run can promise nothing."""
SCENARIOS = (
    replace(DEPLOY, name="good"),
    replace(DEPLOY, name="good-rollback", environ={"ROLLBACK": "true"}),
    FAILED,
    ROLLBACK,
    *(replace(one, environ={"ROLLBACK": "true"}) for one in OTHER_KINDS),
)


@dataclass(frozen=True)
class Point:
    """The `nth` call of `name` in a run, and whether it had begun to roll back by then."""

    name: str
    nth: int
    in_rollback: bool


class Spy:
    """Counts calls, and raises `error` around one of them."""

    def __init__(self, harness: ScenarioHarness) -> None:
        self._harness = harness
        self._counts: Counter[str] = Counter()
        self.points: list[Point] = []
        self.point: Point | None = None
        self.error = ERRORS[0]
        self.acts_first = False
        self.in_rollback = False

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Watch every call of `CALLS`."""
        for group, (owner, names) in CALLS.items():
            for name in names:
                if original := vars(owner).get(name):
                    patch.setattr(owner, name, self._watched(f"{group}.{name}", original))
        run = Rollback.run

        def begin(rollback: Rollback, made: Any) -> Any:
            self.in_rollback = True
            return run(rollback, made)

        patch.setattr(Rollback, "run", begin)

    def _watched(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self._counts[name] += 1
            nth, in_rollback = self._counts[name], self.in_rollback
            is_hit = self.point is not None and (name, nth) == (self.point.name, self.point.nth)
            if is_hit and not self.acts_first:
                raise self.error()
            result = original(*args, **options)
            if self._harness.writes():
                self.points.append(Point(name, nth, in_rollback))
            if is_hit:
                raise self.error()
            return result

        return call


def run(
    folder: Path, scenario: Scenario, patch: pytest.MonkeyPatch, *cell: Any
) -> tuple[ScenarioHarness, RunResult, Spy]:
    """Run once; `cell` is the point, the error and the moment to raise it at."""
    harness = ScenarioHarness(folder, scenario)
    spy = Spy(harness)
    if cell:
        spy.point, spy.error, spy.acts_first = cell
    with patch.context() as local:
        spy.install(local)
        result = harness.run(WAIT_TIMEOUT="60")
    return harness, result, spy


Cell = tuple[Point, Callable[[], Exception], bool]


def cells(points: list[Point]) -> Sequence[Cell]:
    """Return every call x every exception x before and after the call acts.

    Left out are the exceptions by which a driver states that it changed nothing, and those that
    pure functions never raise.
    """
    every = [
        (point, error, acts_first)
        for point in kept(points)
        for error in ERRORS
        for acts_first in (False, True)
        if point.name not in (*WRITES, *WORDS) or not isinstance(error(), PipeError)
    ]
    # A prime step reaches every exception and both moments.
    return share(every, 7)


def kept(points: list[Point]) -> list[Point]:
    """Return every call, or in a partial run the first and the last of each name and phase."""
    if FULL:
        return points
    same: dict[tuple[str, bool], list[Point]] = {}
    for point in points:
        same.setdefault((point.name, point.in_rollback), []).append(point)
    return [one for each in same.values() for one in dict.fromkeys([each[0], each[-1]])]


def expected(scenario: Scenario, point: Point, error: Exception) -> set[int]:
    """Return the exit codes that a cell may have."""
    requested = "ROLLBACK" in scenario.environ
    group = point.name.partition(".")[0]
    if group in ("report", "notifications") or point.name == "recorder.finished":
        return {scenario.code}
    if point.name in WORDS:
        return {9} if requested else {10}
    if point.in_rollback:
        # Noting a rollback that was verified does not undo it, and unreadable pods do not
        # prevent one.
        return {8, 9} if group not in ("drivers", "service", "progress") else {9, *_lucky(point)}
    if requested:
        return {8, scenario.code}
    return (
        {4, 10, scenario.code}
        if isinstance(error, PipeError)
        else {
            10,
            scenario.code,
        }
    )


def _lucky(point: Point) -> set[int]:
    """Return the code of a rollback that is verified in spite of the exception."""
    verified = ("drivers.prepare", "service.state", "service.pod_counts", "service.look")
    return {8} if point.name in verified else set()


def problems(
    harness: ScenarioHarness, result: RunResult, point: Point, error: Exception
) -> Iterator[str]:
    """Yield what is wrong with a cell."""
    scenario = harness.scenario
    allowed = expected(scenario, point, error)
    if not harness.writes():
        allowed |= {1}
    if result.code not in allowed:
        yield f"exit code {result.code}, expected one of {sorted(allowed)}"
    if result.code == 8 and harness.web.image != "team/web:1.4.1":
        yield f"rolled back, but the portal is set to {harness.web.image}"
    if result.code in (1, 2, 3) and harness.writes():
        yield "an exit code that denies the change"
    if result.code and "Nothing was changed" in result.stdout and harness.writes():
        yield "a message that denies the change"
    is_defect = not isinstance(error, PipeError)
    if is_defect and result.code != scenario.code and "Traceback" not in result.log:
        yield "no traceback"
    if len(result.stdout.strip().splitlines()) != 1:
        yield f"the result is not a single line: {result.stdout}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_an_exception_after_the_change_ends_with_the_requested_rollback(
    scenario: Scenario,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """Exit 8 or 9 with ROLLBACK, 10 without; never a code that denies the change."""
    _, model, spy = run(tmp_path / "model", scenario, monkeypatch)
    assert model.code == scenario.code
    every = cells(spy.points)
    wrong = []
    for number, cell in enumerate(every):
        folder = tmp_path / str(number)
        harness, result, _ = run(folder, scenario, monkeypatch, *cell)
        shutil.rmtree(folder)
        point, error, acts_first = cell
        moment = "after" if acts_first else "before"
        wrong += [
            f"{type(error()).__name__} {moment} {point}: {text}\n{result.text}"
            for text in problems(harness, result, point, error())
        ]
    record_property("cells", len(every))
    record_property("cells_failed", len(wrong))
    assert not wrong, f"{len(wrong)} of {len(every)}\n" + "\n".join(wrong)
