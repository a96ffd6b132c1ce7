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

import pytest

from tests.reliability.faults import EVIL, FAULTS, FOR_EVER, TIMES, Fault, counted
from tests.reliability.scenarios import (
    BAD,
    CONFIGURATIONS,
    FULL,
    OTHER_KINDS,
    OTHER_KINDS_ROLLBACK,
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
Judge = Callable[[ScenarioHarness, ScenarioHarness, Cell, RunResult], Iterator[str]]
"""Yields what is wrong with a cell, given its run and the run without faults."""
RecordProperty = Callable[[str, object], None]


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


def inject(harness: ScenarioHarness, point: Point, fault: Fault, times: int) -> None:
    """Schedule the fault of one cell."""
    if fault.slow:
        count = point.nth + times

        def slow(record: RequestRecord) -> None:
            nonlocal count
            if (record.method, record.path) == (point.method, point.path):
                count -= 1
                if 0 < count <= times:
                    harness.clock.advance(10.0)

        harness.world.listeners.append(slow)
        return
    path = f"^{re.escape(point.path)}$"
    options = {"skip": point.nth - 1, "times": times, **fault.options}
    harness.world.script(ApiFault(point.method, path, **options))


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


def judge(
    harness: ScenarioHarness, model: ScenarioHarness, cell: Cell, run_result: RunResult
) -> Iterator[str]:
    """Yield what is wrong with a cell of a deploy."""
    point, fault, _ = cell
    if not leaves_no_trace(harness.scenario, point, fault):
        yield from problems(harness, model, run_result)
    yield from unexpected(harness, cell, run_result, expected(harness.scenario, *cell))


def unexpected(
    harness: ScenarioHarness, cell: Cell, run_result: RunResult, allowed: set[int]
) -> Iterator[str]:
    """Yield an exit code that is not allowed, and a message that does not name the fault."""
    code, words = run_result.code, cell[1].words
    if code not in allowed:
        yield f"exit code {code}, expected one of {sorted(allowed)}"
    if code not in (0, harness.scenario.code) and not re.search(words, run_result.text):
        yield f"the message lacks: {words}"


def check(model: ScenarioHarness, cell: Cell, folder: Path, judge: Judge) -> Iterator[str]:
    """Run one cell of the scenario of `model`, and yield what is wrong with it."""
    point, fault, times = cell
    harness = ScenarioHarness(folder, model.scenario)
    inject(harness, point, fault, times)
    run_result = harness.run(WAIT_TIMEOUT=str(WAIT_TIMEOUT))
    wrong = list(judge(harness, model, cell, run_result))
    # Tens of thousands of them would fill the disk; their content has been searched already.
    shutil.rmtree(folder)
    cell_name = f"{point} {fault.name} {counted(times)}"
    yield from (f"{cell_name}: {text}\n{run_result.text}" for text in wrong)


def run_matrix(
    model: ScenarioHarness, matrix: Sequence[Cell], judge: Judge, record_property: RecordProperty
) -> None:
    """Run cells, and fail with everything that is wrong with them."""
    wrong = [
        line
        for number, cell in enumerate(matrix)
        for line in check(model, cell, model.folder.with_name(str(number)), judge)
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
    run_matrix(model, every[part::PARTS], judge, record_property)
