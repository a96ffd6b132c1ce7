"""Every request x every fault x once, three times, forever: the outcome is always as documented.

The requests are those of a run without faults in each scenario, so new ones are covered at once.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.faults import EVIL, FAULTS, FOR_EVER, TIMES, Fault, counted
from tests.reliability.scenarios import (
    BAD,
    CONFIGURATIONS,
    DEPLOY,
    FULL,
    OTHER_KINDS,
    OTHER_KINDS_ROLLBACK,
    RUN,
    SCENARIOS,
    SEEN_BY_KUBERNETES,
    Scenario,
    ScenarioHarness,
)
from tests.sandbox import ApiFault, RequestRecord
from tests.support.harness import RunResult

WAIT_TIMEOUT = 60
PARTS = 4 if FULL else 1
"""Parts of a scenario's matrix, so that workers finish at about the same time."""


@dataclass(frozen=True)
class Point:
    """A request of the run without faults: the `nth` with this method and path."""

    method: str
    path: str
    nth: int
    phase: str

    @property
    def is_about_kubernetes(self) -> bool:
        """Whether it asks for access to Kubernetes, or Kubernetes itself."""
        issued = ("/jitAccess", "/GetK8ClusterConfigByTenant")
        return self.path.startswith(("/api/v1/", "/apis/")) or self.path.endswith(issued)

    def __str__(self) -> str:
        folder, name = self.path.rsplit("/", 2)[-2:]
        return f"{self.method} {folder}/{name} #{self.nth} ({self.phase})"


Cell = tuple[Point, Fault, int]
RecordProperty = Callable[[str, object], None]


@dataclass(frozen=True)
class Rules:
    """How cells are judged.

    `codes` returns the exit codes that a cell may have. `judge` yields what else is wrong, given
    the run without faults and that of a cell; it comes last, because it may run the step again.
    """

    codes: Callable[[ScenarioHarness, Cell], set[int]]
    judge: Callable[[ScenarioHarness, ScenarioHarness, Cell, RunResult], Iterator[str]]


def points(log: list[RequestRecord], *, every: bool = FULL) -> list[Point]:
    """Return every request.

    Otherwise: of each the first, the second, the last, and the first after a change.
    """
    first_write = next(number for number, record in enumerate(log) if record.writes)
    found: dict[tuple[str, str], list[Point]] = {}
    for number, record in enumerate(log):
        same = found.setdefault((record.method, record.path), [])
        phase = "before" if number < first_write else "write" if record.writes else "after"
        same.append(Point(record.method, record.path, len(same) + 1, phase))
    if every:
        return [point for same in found.values() for point in same]
    kept: list[Point] = []
    for same in found.values():
        after = [point for point in same if point.phase != "before"]
        kept += dict.fromkeys([*same[:2], *after[:1], same[-1]])
    return kept


def cells(
    scenario: Scenario, folder: Path, *, every_point: bool = FULL
) -> tuple[ScenarioHarness, list[Cell]]:
    """Return the run without faults, and every cell of the matrix."""
    model = ScenarioHarness(folder / "model", scenario)
    assert model.run(WAIT_TIMEOUT=str(WAIT_TIMEOUT)).code == scenario.code
    # Kubernetes is looked at so often that the many looks in between would take an hour.
    chosen = points(model.world.log, every=every_point and not scenario.kubernetes)
    if scenario.kubernetes and not FULL:
        # The other requests are those of the scenarios without Kubernetes.
        chosen = [point for point in chosen if point.is_about_kubernetes]
    every = [(p, f, t) for p in chosen for f in FAULTS for t in TIMES]
    # A prime step reaches every request, every fault and every count.
    return model, every if FULL else every[:: 53 if scenario.kubernetes else 17]


def inject(harness: ScenarioHarness, point: Point, fault: Fault, times: int) -> Callable[[], int]:
    """Schedule the fault of one cell; the result returns how often it has struck."""
    if fault.slow:
        return _slow(harness, point, times)
    path = f"^{re.escape(point.path)}$"
    how = options(fault, times)
    scripted = ApiFault(point.method, path, skip=point.nth - 1, times=times, **how)
    harness.world.script(scripted)
    return lambda: times - scripted.times


def options(fault: Fault, times: int) -> dict[str, Any]:
    """Return the options of the sandbox for a fault that may strike so often."""
    if fault.name == "huge" and times == FOR_EVER:
        # What is announced is not read: 32 MB at every look would be a quarter of the whole time.
        return {**fault.options, "headers": {"Content-Length": str(ApiFault.size)}}
    return fault.options


def _slow(harness: ScenarioHarness, point: Point, times: int) -> Callable[[], int]:
    count = struck = 0

    def slow(record: RequestRecord) -> None:
        nonlocal count, struck
        if (record.method, record.path) != (point.method, point.path):
            return
        count += 1
        if count >= point.nth and struck < times:
            struck += 1
            harness.clock.advance(10.0)

    harness.world.listeners.append(slow)
    return lambda: struck


def expected(scenario: Scenario, point: Point, fault: Fault, times: int) -> set[int]:
    """Return the exit codes that a cell may have."""
    clean = {scenario.code}
    if point.is_about_kubernetes:
        # What the portal shows serves instead, whatever goes wrong and whenever.
        return clean
    if fault.harmless and times < FOR_EVER:
        return clean
    if fault.retryable and (times == 1 or (times == 3 and not fault.silent)):
        return clean
    if fault.name == "401" and point.phase == "before":
        return {3}
    if fault.name == "401" and point.phase == "write" and point.nth == 1:
        return {3}
    if point.phase == "before":
        # There may be an alternative: an older route, the other list of tenants, a retry.
        return {4, 3, *clean} if fault.name in ("403", "404", "405", "500") else {4, *clean}
    # After the change: verified all the same, or reported as unverified; during a rollback that
    # is a failure.
    unverified = {9, 10} if scenario.code == 8 else {10}
    return {4, *clean, *unverified}


def leaves_no_trace(scenario: Scenario, point: Point, fault: Fault) -> bool:
    """Return whether this is the one cell in which nothing shows that the change took effect.

    During the minute of silence AWS fails the deployment, rolls it back and stops listing it.
    The change is then sent again, fails again and ends the same way.
    """
    lost = fault.name == "silence-after" and point.path.endswith("/UpdateEcsService")
    return lost and scenario.kind == "ecs" and scenario.image == BAD


def problems(
    harness: ScenarioHarness, model: ScenarioHarness, run_result: RunResult
) -> Iterator[str]:
    """Yield what is wrong with a cell, whatever its fault."""
    acted = [json.dumps([record.path, record.body]) for record in harness.writes()]
    if len(acted) != len(set(acted)):
        yield f"a change that had taken effect was sent again: {acted}"
    if EVIL in harness.hosts or harness.leaks:
        yield f"the token was sent to another host: {harness.hosts}"
    if run_result.code == 1 or "Traceback" in run_result.text:
        yield "an unexpected exception"
    image = harness.web.image
    if run_result.code == 0 and (image, len(acted)) != (harness.scenario.left, len(model.writes())):
        yield f"success with {image} after {len(acted)} changes"
    if run_result.code == 0 and harness.starts > model.starts:
        yield f"{harness.starts} pods were started, {model.starts} would be enough"
    if run_result.code == 8 and image != harness.scenario.left:
        yield f"rolled back, but the portal is set to {image}"
    if run_result.code == 10 and image != harness.scenario.image:
        yield f"not rolled back, but the portal is set to {image}"
    if run_result.code in (2, 3, 5, 6) and acted:
        yield "a change, with an exit code for none"
    if "Nothing was changed" in run_result.stdout and acted:
        yield "a change, and the message denies it"
    if run_result.code and not acted and "Nothing was changed" not in run_result.stdout:
        yield "no change, and no message about that"
    yield from _unhelpful(harness, run_result)


def _unhelpful(harness: ScenarioHarness, run_result: RunResult) -> Iterator[str]:
    lines = run_result.stdout.strip().splitlines()
    if len(lines) != 1 or (
        run_result.code and not lines[0].endswith(f"(exit code {run_result.code})")
    ):
        yield f"the result is not a single line: {lines}"
    if run_result.code and "What to do:" not in run_result.log:
        yield "no remedy"
    if run_result.seconds > 2 * WAIT_TIMEOUT + 300:
        yield f"it took {run_result.seconds:g} s"
    if run_result.report and run_result.report["exit_code"] != run_result.code:
        yield f"the report has exit code {run_result.report['exit_code']}"
    reported = re.search(r"is set to (\S+?),", run_result.stdout)
    if (
        reported
        and harness.scenario.kind == "service"
        and run_result.code not in (4, 9)
        and reported[1] != harness.web.image
    ):
        yield f"the message names {reported[1]}, but the portal is set to {harness.web.image}"


def judge_deploy(
    harness: ScenarioHarness, model: ScenarioHarness, cell: Cell, run_result: RunResult
) -> Iterator[str]:
    """Yield what is wrong with a run, unless nothing could show what it did."""
    if not leaves_no_trace(harness.scenario, *cell[:2]):
        yield from problems(harness, model, run_result)


DEPLOYS = Rules(lambda harness, cell: expected(harness.scenario, *cell), judge_deploy)


def unexpected(
    harness: ScenarioHarness, cell: Cell, run_result: RunResult, allowed: set[int]
) -> Iterator[str]:
    """Yield an exit code that is not allowed, and a message that does not name the fault."""
    code, words = run_result.code, cell[1].words
    if code not in allowed:
        yield f"exit code {code}, expected one of {sorted(allowed)}"
    if code not in (0, harness.scenario.code) and not re.search(words, run_result.text):
        yield f"the message lacks: {words}"


def check(
    model: ScenarioHarness, cells: Sequence[Cell], folder: Path, rules: Rules
) -> Iterator[str]:
    """Run the cells of one fault at one point, and yield what is wrong with them.

    A fault makes the same run for every count that it does not exhaust: that run is made once.
    Threads, which only Kubernetes is asked from, send their requests in no fixed order.
    """
    left = sorted(cells, key=lambda cell: cell[2])
    while left:
        harness = ScenarioHarness(folder, model.scenario)
        last = left.pop()
        strikes = inject(harness, *last)
        run_result = harness.run(WAIT_TIMEOUT=str(WAIT_TIMEOUT))
        alike = [last]
        while left and not model.scenario.kubernetes and is_alike(left[-1], last, strikes()):
            alike.append(left.pop())
        wrong = [
            (cell, text)
            for cell in alike
            for text in unexpected(harness, cell, run_result, rules.codes(harness, cell))
        ]
        wrong += [(last, text) for text in rules.judge(harness, model, last, run_result)]
        # Tens of thousands of them would fill the disk; their content has been searched already.
        shutil.rmtree(folder)
        for (point, fault, times), text in wrong:
            yield f"{point} {fault.name} {counted(times)}: {text}\n{run_result.text}"


def is_alike(cell: Cell, other: Cell, strikes: int) -> bool:
    """Return whether two cells of one fault, which struck the run of the other so often, agree."""
    return strikes <= cell[2] and options(cell[1], cell[2]) == options(other[1], other[2])


def part_of(matrix: Sequence[Cell], part: int) -> list[Cell]:
    """Return one of `PARTS` parts of a matrix; every count of a fault is in the same one."""
    return [cell for number, cell in enumerate(matrix) if number // len(TIMES) % PARTS == part]


def run_matrix(
    model: ScenarioHarness, matrix: Sequence[Cell], rules: Rules, record_property: RecordProperty
) -> None:
    """Run cells, and fail with everything that is wrong with them."""
    faults: dict[tuple[Point, str], list[Cell]] = {}
    for cell in matrix:
        faults.setdefault((cell[0], cell[1].name), []).append(cell)
    wrong = [
        line
        for number, same in enumerate(faults.values())
        for line in check(model, same, model.folder.with_name(str(number)), rules)
    ]
    record_property("cells", len(matrix))
    record_property("cells_failed", len(wrong))
    assert not wrong, f"{len(wrong)} of {len(matrix)}\n" + "\n".join(wrong)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    "scenario",
    [*SCENARIOS, *CONFIGURATIONS, *SEEN_BY_KUBERNETES, *OTHER_KINDS, *OTHER_KINDS_ROLLBACK],
    ids=str,
)
def test_every_fault_at_every_request_ends_as_it_should(
    scenario: Scenario, part: int, tmp_path: Path, record_property: RecordProperty
) -> None:
    """Exit code, portal state and message fit; no change that took effect is sent twice."""
    model, every = cells(scenario, tmp_path)
    run_matrix(model, part_of(every, part), DEPLOYS, record_property)


@pytest.mark.parametrize("scenario", [DEPLOY, RUN], ids=str)
def test_a_fault_makes_the_same_run_for_every_count_that_it_does_not_exhaust(
    scenario: Scenario, tmp_path: Path
) -> None:
    model, _ = cells(scenario, tmp_path)
    compared = 0
    for point in points(model.world.log, every=True)[::13]:
        for fault in FAULTS[::3]:
            struck, *whole = outcome(ScenarioHarness(tmp_path, scenario), point, fault, FOR_EVER)
            for times in TIMES[:-1]:
                if is_alike((point, fault, times), (point, fault, FOR_EVER), struck):
                    again = outcome(ScenarioHarness(tmp_path, scenario), point, fault, times)
                    assert again == (struck, *whole)
                    compared += 1
    assert compared >= 5


def outcome(
    harness: ScenarioHarness, point: Point, fault: Fault, times: int
) -> tuple[int, int, str, float, list[tuple[float, str, str]]]:
    """Return how often a fault struck a run, and everything that the run shows of itself."""
    strikes = inject(harness, point, fault, times)
    result = harness.run(WAIT_TIMEOUT=str(WAIT_TIMEOUT))
    shutil.rmtree(harness.folder)
    requests = [(one.at, one.method, one.path) for one in harness.world.log]
    return strikes(), result.code, result.text, result.seconds, requests
