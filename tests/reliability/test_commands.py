"""Commands inside the tenant: killed at every point, and every fault at every request.

Whatever happens, a command that succeeded does not run again, two never run side by side, and the
next run of the step leaves no job behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.faults import FOR_EVER
from tests.reliability.scenarios import (
    COMMANDS,
    FAIL,
    FULL,
    MIGRATE,
    RELEASE,
    RELEASE_ECS,
    RUN,
    TEST_IN_TENANT,
    Scenario,
    ScenarioHarness,
    nothing,
    nth,
)
from tests.reliability.test_faults import (
    WAIT_TIMEOUT,
    Cell,
    RecordProperty,
    Rules,
    cells,
    expected,
    part_of,
    run_matrix,
)
from tests.reliability.test_kills import again, clean, moments, survive
from tests.sandbox import ApiFault
from tests.support.harness import RunResult

PARTS = 4 if FULL else 1
_STEP = 1 if FULL else 7


def double_runs(harness: ScenarioHarness) -> Iterator[str]:
    """Yield what ran twice: after it had succeeded, or side by side."""
    commands = harness.world.commands
    if (count := commands.completions(MIGRATE)) > 1:
        yield f"the command succeeded {count} times"
    if commands.overlap(MIGRATE) or commands.overlap(FAIL):
        yield "two commands ran at the same time"


@pytest.mark.parametrize("survives", [True, False], ids=["record", "no-record"])
@pytest.mark.parametrize("scenario", [one for one in COMMANDS if one != TEST_IN_TENANT], ids=str)
def test_the_run_after_a_killed_one_neither_repeats_its_command_nor_leaves_its_job(
    tmp_path: Path,
    scenario: Scenario,
    survives: bool,
    record_property: RecordProperty,
) -> None:
    """At every request and pause: same exit code, same image; the command was started once."""
    model, result = clean(tmp_path, scenario)
    assert result.code == scenario.code, result.text
    # Once the proof that it ran is deleted, only the last line of the log is missing.
    over = ("after", model.sent) if scenario == RUN else None
    points = [moment for moment in moments(model, every=29) if moment != over]

    def judge(harness: ScenarioHarness, second: RunResult) -> Iterator[str]:
        jobs = harness.world.jobs
        got = (second.code, harness.web.image, len(harness.writes()), jobs.left())
        if got != (scenario.code, scenario.left, len(model.writes()), []):
            yield str(got)
        if scenario in (RELEASE, RELEASE_ECS, RUN) and jobs.runs(MIGRATE) != 1:
            yield f"the command was started {jobs.runs(MIGRATE)} times"
        yield from double_runs(harness)

    survive(model, points, judge, record_property, survives=survives)


def problems(harness: ScenarioHarness, model: ScenarioHarness, result: RunResult) -> Iterator[str]:
    """Yield what is wrong with a run, whatever its fault."""
    acted = [json.dumps([record.path, record.body]) for record in harness.writes()]
    if result.code == 1 or "Traceback" in result.text:
        yield "an unexpected exception"
    if result.code == 0 and (harness.web.image, len(acted)) != (
        harness.scenario.left,
        len(model.writes()),
    ):
        yield f"success with {harness.web.image} after {len(acted)} changes"
    if result.code in (2, 3, 6) and acted:
        yield "a change, with an exit code for none"
    if len(result.stdout.strip().splitlines()) != 1:
        yield "the result is not a single line"
    if result.code and "What to do:" not in result.log:
        yield "no remedy"
    if result.seconds > 2 * WAIT_TIMEOUT + 400:
        yield f"it took {result.seconds:g} s"
    yield from double_runs(harness)


def allowed_codes(harness: ScenarioHarness, cell: Cell) -> set[int]:
    """Return the exit codes that a cell may have."""
    scenario, (point, fault, times) = harness.scenario, cell
    allowed = expected(scenario, *cell) | ({6, 8} if times == FOR_EVER or fault.silent else set())
    if fault.name == "401":
        # A change that was made comes first: it is rolled back, or stays.
        allowed = allowed - {3} | {scenario.code} if harness.writes() else allowed | {3}
    if point.method == "DELETE":
        # A job that stays is only worth a warning.
        allowed.add(scenario.code)
    return allowed


def judge(
    harness: ScenarioHarness, model: ScenarioHarness, _: Cell, result: RunResult
) -> Iterator[str]:
    """Yield what is wrong; the step is run again if it failed or left a job."""
    yield from problems(harness, model, result)
    if result.code != harness.scenario.code or harness.world.jobs.left():
        yield from _after(harness)


def _after(harness: ScenarioHarness) -> Iterator[str]:
    """Run the step again, without the fault."""
    harness.world.scripted.clear()
    harness.world.listeners.clear()
    second = again(harness, survives=True)
    yield from double_runs(harness)
    # A deploy that was not rolled back is complete: its test is not run again.
    if second.code != harness.scenario.code and harness.scenario != TEST_IN_TENANT:
        yield f"the next run ends with {second.code}: {second.text}"
    if left := harness.world.jobs.left():
        yield f"the next run leaves {left}: {second.text}"


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", COMMANDS, ids=str)
def test_every_fault_at_every_request_of_a_command_ends_as_it_should(
    scenario: Scenario, part: int, tmp_path: Path, record_property: RecordProperty
) -> None:
    """Exit code and message fit, and the next run of the step ends as if nothing had happened."""
    # Looks at a job are alike, and there is one every second.
    model, every = cells(scenario, tmp_path, every_point=False)
    # Most of the longest scenario is a deploy and a rollback, which have a matrix of their own.
    step = 3 * _STEP if scenario == TEST_IN_TENANT and not FULL else _STEP
    run_matrix(model, part_of(every[::step], part), Rules(allowed_codes, judge), record_property)


def interrupt() -> None:
    """Raise what SIGTERM and Ctrl-C become inside a run."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("scenario", [RELEASE, RELEASE_ECS, RUN], ids=str)
def test_a_command_that_had_succeeded_before_an_interruption_is_not_repeated(
    tmp_path: Path, scenario: Scenario, record_property: RecordProperty
) -> None:
    """Before each request: the job is deleted only if its command has not succeeded."""
    model, _ = clean(tmp_path, scenario)
    wrong = []
    points = range(5, model.sent + 1, 1 if FULL else 7)
    for number in points:
        harness = ScenarioHarness(tmp_path / str(number), scenario)
        harness.before = nth(number, interrupt)
        first = harness.run()
        harness.before = nothing
        second = again(harness, survives=True)
        found = list(double_runs(harness))
        if (second.code, harness.world.jobs.left(), found) != (0, [], []):
            wrong.append(f"{number}: {first.text}\n{second.code} {found} {second.text}")
    record_property("kills", len(points))
    record_property("kills_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("status", [403, 404, 405, 503])
@pytest.mark.parametrize("scenario", [RELEASE, RUN], ids=str)
def test_a_command_whose_end_could_not_be_seen_is_not_repeated(
    tmp_path: Path, scenario: Scenario, status: int
) -> None:
    """Exit 4; the next run of the step finds its job complete."""
    harness = ScenarioHarness(tmp_path, scenario)
    # Neither the job nor the list of jobs, which is read twice before the creation.
    harness.world.script(ApiFault("GET", "/k8s/job", status=status, times=FOR_EVER, skip=2))
    assert harness.run().code == 4
    harness.world.scripted.clear()
    second = again(harness, survives=True)
    assert (second.code, harness.world.jobs.left()) == (0, [])
    assert harness.world.jobs.runs(MIGRATE) == 1
