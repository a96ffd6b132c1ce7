"""Every request x every fault x once, three times, for ever: what comes of it is never a surprise.

The requests are those that an undisturbed run of each play makes; a new one is found by itself.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.faults import EVIL, FAULTS, FOR_EVER, TIMES, Fault, counted
from tests.reliability.scene import (
    BAD,
    FULL,
    OTHER_KINDS,
    OTHER_KINDS_BACK,
    PLAYS,
    Play,
    Scene,
)
from tests.sandbox import ApiFault, RequestRecord
from tests.support.stage import RunResult

WAIT_TIMEOUT = 60
PARTS = 4 if FULL else 1
"""Pieces of a play's matrix, so that workers finish at about the same time."""


@dataclass(frozen=True)
class Point:
    """One request of the undisturbed run: the `nth` with this method and path."""

    method: str
    path: str
    nth: int
    phase: str

    def __str__(self) -> str:
        folder, name = self.path.rsplit("/", 2)[-2:]
        return f"{self.method} {folder}/{name} #{self.nth} ({self.phase})"


def points(log: list[RequestRecord]) -> list[Point]:
    """Every request.

    Where only a share is run: of each the first, the second, the last, and the first after a
    change.
    """
    first_write = next(number for number, record in enumerate(log) if record.writes)
    found: dict[tuple[str, str], list[Point]] = {}
    for number, record in enumerate(log):
        same = found.setdefault((record.method, record.path), [])
        phase = "before" if number < first_write else "write" if record.writes else "after"
        same.append(Point(record.method, record.path, len(same) + 1, phase))
    if FULL:
        return [point for same in found.values() for point in same]
    kept: list[Point] = []
    for same in found.values():
        after = [point for point in same if point.phase != "before"]
        kept += dict.fromkeys([*same[:2], *after[:1], same[-1]])
    return kept


def cells(play: Play, folder: Path) -> tuple[Scene, list[tuple[Point, Fault, int]]]:
    """The undisturbed run, and everything that is to be disturbed."""
    model = Scene(folder / "model", play)
    assert model.run(WAIT_TIMEOUT=str(WAIT_TIMEOUT)).code == play.code
    every = [(p, f, t) for p in points(model.world.log) for f in FAULTS for t in TIMES]
    # A prime step meets every request, every fault and every count.
    return model, every if FULL else every[::17]


def disturb(scene: Scene, point: Point, fault: Fault, times: int) -> None:
    """Plan the trouble of one cell."""
    if fault.slow:
        count = point.nth + times

        def slow(record: RequestRecord) -> None:
            nonlocal count
            if (record.method, record.path) == (point.method, point.path):
                count -= 1
                if 0 < count <= times:
                    scene.clock.advance(10.0)

        scene.world.listeners.append(slow)
        return
    path = f"^{re.escape(point.path)}$"
    options = {"skip": point.nth - 1, "times": times, **fault.options}
    scene.world.script(ApiFault(point.method, path, **options))


def expected(play: Play, point: Point, fault: Fault, times: int) -> set[int]:
    """The exit codes that a cell may have."""
    clean = {play.code}
    if fault.harmless and times < FOR_EVER:
        return clean
    if fault.retryable and (times == 1 or (times == 3 and not fault.silent)):
        return clean
    if fault.name == "401" and point.phase == "before":
        return {3}
    if fault.name == "401" and point.phase == "write" and point.nth == 1:
        return {3}
    if point.phase == "before":
        # Another way may be open: an older route, the other list of tenants, a later try.
        return {4, 3, *clean} if fault.name in ("403", "404", "405", "500") else {4, *clean}
    # After the change: seen all the same, or told as not seen; on the way back that is a failure.
    unseen = {9, 10} if play.code == 8 else {10}
    return {4, *clean, *unseen}


def gone_without_trace(play: Play, point: Point, fault: Fault) -> bool:
    """The one cell in which nobody can know that the change took hold.

    Within the minute of silence AWS has failed the deployment, rolled it back and forgotten it.
    The change is sent again then, fails again and ends the same way.
    """
    lost = fault.name == "silence-after" and point.path.endswith("/UpdateEcsService")
    return lost and play.kind == "ecs" and play.image == BAD


def problems(scene: Scene, model: Scene, ending: RunResult) -> Iterator[str]:
    """What is wrong with a cell whatever its fault."""
    acted = [json.dumps([record.path, record.body]) for record in scene.writes()]
    if len(acted) != len(set(acted)):
        yield f"a change that had taken hold was sent again: {acted}"
    if EVIL in scene.hosts or scene.leaks:
        yield f"the token was shown to somebody else: {scene.hosts}"
    if ending.code == 1 or "Traceback" in ending.text:
        yield "a defect"
    image = scene.web.image
    if ending.code == 0 and (image, len(acted)) != (scene.play.left, len(model.writes())):
        yield f"success with {image} after {len(acted)} changes"
    if ending.code == 0 and scene.starts > model.starts:
        yield f"{scene.starts} pods were started, {model.starts} are enough"
    if ending.code == 8 and image != scene.play.left:
        yield f"restored, but {image} is asked for"
    if ending.code == 10 and image != scene.play.image:
        yield f"not restored, but {image} is asked for"
    if ending.code in (2, 3, 5, 6) and acted:
        yield "changed, with an exit code that says unchanged"
    if "Nothing was changed" in ending.result and acted:
        yield "changed, and denied"
    if ending.code and not acted and "Nothing was changed" not in ending.result:
        yield "nothing was changed, and that is not said"
    yield from _unhelpful(scene, ending)


def _unhelpful(scene: Scene, ending: RunResult) -> Iterator[str]:
    lines = ending.result.strip().splitlines()
    if len(lines) != 1 or (ending.code and not lines[0].endswith(f"(exit code {ending.code})")):
        yield f"the result is no line of its own: {lines}"
    if ending.code and "What to do:" not in ending.log:
        yield "no remedy"
    if ending.seconds > 2 * WAIT_TIMEOUT + 300:
        yield f"it took {ending.seconds:g} s"
    if ending.report and ending.report["exit_code"] != ending.code:
        yield f"the record says {ending.report['exit_code']}"
    told = re.search(r"asks for (\S+?),", ending.result)
    if (
        told
        and scene.play.kind == "service"
        and ending.code not in (4, 9)
        and told[1] != scene.web.image
    ):
        yield f"it says {told[1]}, and {scene.web.image} is asked for"


def check(play: Play, model: Scene, cell: tuple[Point, Fault, int], folder: Path) -> Iterator[str]:
    """Run one cell; every line is something wrong with it."""
    point, fault, times = cell
    scene = Scene(folder, play)
    disturb(scene, point, fault, times)
    ending = scene.run(WAIT_TIMEOUT=str(WAIT_TIMEOUT))
    # Tens of thousands of them would fill the disk; what they hold has been searched.
    shutil.rmtree(folder)
    blind = gone_without_trace(play, point, fault)
    found = [] if blind else list(problems(scene, model, ending))
    allowed = expected(play, point, fault, times)
    if ending.code not in allowed:
        found.append(f"exit code {ending.code}, expected one of {sorted(allowed)}")
    if ending.code not in (0, play.code) and not re.search(fault.words, ending.text):
        found.append(f"it does not say: {fault.words}")
    cell_name = f"{point} {fault.name} {counted(times)}"
    yield from (f"{cell_name}: {text}\n{ending.text}" for text in found)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("play", [*PLAYS, *OTHER_KINDS, *OTHER_KINDS_BACK], ids=str)
def test_every_fault_at_every_request_ends_as_it_should(
    play: Play, part: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Exit code, portal state and message are right; no change that took hold is sent twice."""
    model, every = cells(play, tmp_path)
    matrix = every[part::PARTS]
    wrong = [
        line
        for number, cell in enumerate(matrix)
        for line in check(play, model, cell, tmp_path / str(number))
    ]
    record_property("cells", len(matrix))
    record_property("cells_failed", len(wrong))
    assert not wrong, f"{len(wrong)} of {len(matrix)}\n" + "\n".join(wrong)
