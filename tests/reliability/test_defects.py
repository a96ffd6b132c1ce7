"""Exceptions raised inside the pipe after the change: the rollback that was requested happens.

Every function of the pipe that runs after the first write is found by tracing a run without
exceptions. Each is then made to fail, at its start and where it returns.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from importlib import import_module
from itertools import cycle
from pathlib import Path

import pytest

from pipe.dependencies import Dependencies
from pipe.deploy_tests.model import Command, CommandResult, WriteLine
from pipe.errors import ConfigError, IdentityError, PipeError, Problem
from tests.reliability.scenarios import (
    DEPLOY,
    FAILED,
    OLD,
    OTHER_KINDS,
    OTHER_KINDS_ROLLBACK,
    ROLLBACK,
    Scenario,
    ScenarioHarness,
    WatchedHosts,
    share,
)
from tests.reliability.tracing import (
    HARMLESS,
    LAST,
    RECOVERY,
    SEQUENCE,
    Phase,
    Point,
    Tracer,
)
from tests.support.harness import RunResult, run_pipe

Error = Callable[[], Exception]
Cell = tuple[Point, Error]

REQUESTED = {"ROLLBACK": "true", "POST_DEPLOY_TEST": "smoke"}
SCENARIOS = (
    replace(DEPLOY, name="good"),
    replace(DEPLOY, name="good-rollback", environ=REQUESTED),
    replace(DEPLOY, name="bad-test", environ=REQUESTED, code=8, left=OLD),
    FAILED,
    ROLLBACK,
    *(replace(one, environ={"ROLLBACK": "true"}) for one in OTHER_KINDS),
    *OTHER_KINDS_ROLLBACK,
)


def _injected() -> Exception:
    return RuntimeError("injected")


PHASES: dict[str, tuple[Phase, ...]] = {
    "good": (Phase.DEPLOYING, Phase.ENDING),
    "bad-test": (Phase.ROLLING_BACK,),
    "failed": (Phase.HARMLESS, Phase.ENDING),
}
"""What a scenario adds to the others; all phases where none are named."""
OWN_MODULES = {
    "ecs": ("kinds.ecs", "kinds.resource_watcher", "portal.ecs"),
    "lambda": ("kinds.lambda_", "kinds.resource_watcher", "portal.functions"),
    "cronjob": ("kinds.cronjob", "kinds.resource_watcher", "portal.cronjobs"),
}
OTHERS: tuple[Error, ...] = (
    MemoryError,
    lambda: ConfigError([Problem("POST_DEPLOY_TEST_IMAGE", "needs a Docker service")]),
    lambda: IdentityError("The injected token expired."),
)


@dataclass(frozen=True)
class OneResult:
    """A runner of deploy tests that all end with the same status."""

    status: int

    def check_ready(self, command: Command) -> None:
        """Find everything there."""

    def run(self, command: Command, write_line: WriteLine) -> CommandResult:
        """End at once."""
        del command
        write_line("smoke")
        return CommandResult(0.1, ("smoke",), status=self.status)


@dataclass(frozen=True)
class Run:
    """A finished run and the world that it left."""

    harness: ScenarioHarness
    result: RunResult
    tracer: Tracer


def run(folder: Path, scenario: Scenario, at: Point | None = None, error: Error = _injected) -> Run:
    """Run once, with `error` raised at a point; without one every point is noted."""
    harness = ScenarioHarness(folder, scenario)
    tracer = Tracer(at, error)

    def note_request(number: int) -> None:
        tracer.after_request(number, has_changed=bool(harness.writes()))

    harness.after = note_request
    runner = OneResult(1 if scenario.name == "bad-test" else 0)
    dependencies = Dependencies(harness.clock, WatchedHosts(harness), runner=runner)
    with tracer.tracing():
        environ = harness.environ(WAIT_TIMEOUT="60")
        result = run_pipe(environ, dependencies, harness.report_dir)
    return Run(harness, result, tracer)


def cells(points: Sequence[Point], scenario: Scenario) -> Sequence[Cell]:
    """Return a defect at the first call of every function in each phase, and others at the last.

    What all kinds share is called for services; for another kind only its own modules count.
    """
    phases = PHASES.get(scenario.name, tuple(Phase))
    modules = OWN_MODULES.get(scenario.kind, "")
    same: dict[tuple[str, str, Phase], list[Point]] = {}
    for point in points:
        if point.function in LAST or point.phase not in phases:
            continue
        if point.function.startswith(modules):
            same.setdefault((point.function, point.event, point.phase), []).append(point)
    others = cycle(OTHERS)
    every = [
        cell for each in same.values() for cell in ((each[0], _injected), (each[-1], next(others)))
    ]
    # A prime step reaches every exception and both moments.
    return share(every, 97)


def _is_tolerated(point: Point, error: Exception) -> bool:
    """Return whether a single exception of this type is meant to be borne at this point."""
    match error:
        case MemoryError():
            # A body that is too large to decode is a bad response, which is requested again.
            return "http.client:Reply._decoded" in (point.function, *point.callers)
        case IdentityError():
            # A single refusal is no reason to stop following a rollout.
            return "rollout.loop:follow" in point.callers
    return False


def expected(scenario: Scenario, point: Point, error: Exception) -> set[int]:
    """Return the exit codes that a cell may have."""
    if point.phase is Phase.HARMLESS:
        return {scenario.code}
    tolerated = {scenario.code} if _is_tolerated(point, error) else set()
    if "ROLLBACK" not in scenario.environ:
        return tolerated | ({4, 10} if isinstance(error, PipeError) else {10})
    return tolerated | ({8} if point.phase is Phase.DEPLOYING else {8, 9})


def problems(cell: Cell, model: Run, run: Run) -> Iterator[str]:
    """Yield what is wrong with a cell."""
    (point, error), harness, result = cell, run.harness, run.result
    scenario = harness.scenario
    allowed = expected(scenario, point, error())
    if result.code not in allowed:
        yield f"exit code {result.code}, expected one of {sorted(allowed)}"
    if result.code == 8 and harness.web.image != OLD:
        yield f"rolled back, but the portal is set to {harness.web.image}"
    if point.phase is Phase.HARMLESS and harness.web.image != model.harness.web.image:
        yield f"the portal is set to {harness.web.image}"
    if result.code and "othing was changed" in result.stdout:
        yield "a message that denies the change"
    if len(result.stdout.strip().splitlines()) != 1:
        yield f"the result is not a single line: {result.stdout}"


@pytest.mark.parametrize("name", sorted({SEQUENCE, RECOVERY, *HARMLESS, *LAST}))
def test_the_functions_that_are_named_here_exist(name: str) -> None:
    """After they are renamed, the phases would be wrong."""
    module, _, path = name.partition(":")
    function = reduce(getattr, path.split("."), import_module(f"pipe.{module}"))
    assert callable(function)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_an_exception_after_the_change_ends_with_the_requested_rollback(
    scenario: Scenario,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Exit 8 or 9 with ROLLBACK, 10 without; never a code that denies the change."""
    # What is computed once in a process is not computed in the second run.
    run(tmp_path / "first", scenario)
    model = run(tmp_path / "model", scenario)
    assert model.result.code == scenario.code
    every = cells(model.tracer.points, scenario)
    wrong, reached = [], 0
    for number, cell in enumerate(every):
        folder = tmp_path / str(number)
        ended = run(folder, scenario, *cell)
        shutil.rmtree(folder)
        reached += ended.tracer.raised
        point, error = cell
        wrong += [
            f"{type(error()).__name__} at {point}: {text}\n"
            f"{' < '.join(point.callers)}\n{ended.result.text}"
            for text in problems(cell, model, ended)
        ]
    record_property("cells", len(every))
    record_property("cells_failed", len(wrong))
    assert not wrong, f"{len(wrong)} of {len(every)}\n" + "\n".join(wrong)
    assert reached == len(every)
