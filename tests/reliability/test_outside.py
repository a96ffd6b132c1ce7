"""The same faults on the way to everybody but the portal: AWS, registries, pages, messages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.faults import EVIL, FAULTS, FOR_EVER, TIMES, Fault, counted
from tests.reliability.outside import ERRANDS, Elsewhere, Errand, Outing, opened
from tests.reliability.scene import share
from tests.sandbox import ApiFault
from tests.support.stage import RunResult

NONSENSE = "not from AWS|may not be a registry|returned no token|makes no sense"
WORDS = {
    "rate": "Rate exceeded|400",
    "truncated": NONSENSE,
    "html": NONSENSE,
    "huge": r"more than \d+ MB",
    "redirect": f"302|{EVIL}",
}


@dataclass(frozen=True)
class Point:
    """One request of the undisturbed run: the `nth` to that host."""

    host: str
    nth: int


Cell = tuple[Point, Fault, int]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """AWS and a registry."""
    with opened(tmp_path_factory.mktemp("elsewhere")) as found:
        yield found


def disturb(outing: Outing, cell: Cell) -> None:
    """Plan the trouble of one cell."""
    point, fault, times = cell
    party = outing.parties[point.host]
    if fault.slow:
        disturbed = range(point.nth, point.nth + times)
        party.before = lambda number: outing.clock.advance(10.0 * (number in disturbed))
    else:
        party.faults.append(ApiFault(skip=point.nth - 1, times=times, **fault.options))


def expected(errand: Errand, fault: Fault, times: int) -> set[int]:
    """The exit codes that a cell may have."""
    clean, failing = {errand.code}, set(errand.failing)
    if fault.harmless:
        return clean
    if errand.asks_on:
        # Its answer is judged by the status alone.
        holds = times < FOR_EVER or fault.name in ("truncated", "html")
        return clean if holds else failing
    # Words of AWS, which nobody else says.
    retryable = fault.retryable and not (
        errand.name in ("registry", "tags") and fault.name == "rate"
    )
    if retryable and (times == 1 or (times < FOR_EVER and not fault.silent)):
        return clean
    return failing if times == FOR_EVER else clean | failing


def words(fault: Fault) -> str:
    """What a run that fails because of it says."""
    status = fault.options.get("status")
    return str(status) if status else WORDS.get(fault.name, fault.words)


def problems(outing: Outing, cell: Cell, ending: RunResult) -> Iterator[str]:
    """What is wrong with a cell."""
    _, fault, times = cell
    errand, wanted = outing.errand, outing.environ()["IMAGE"]
    allowed = expected(errand, fault, times)
    if ending.code not in allowed:
        yield f"exit code {ending.code}, expected one of {sorted(allowed)}"
    if ending.code == 1 or "Traceback" in ending.text:
        yield "a defect"
    if outing.leaks or (EVIL in outing.hosts and not errand.asks_on):
        yield f"a secret was shown to somebody else: {outing.leaks} of {outing.hosts}"
    if ending.code == 0 and outing.web.image != wanted:
        yield f"success with {outing.web.image}"
    if ending.code in (3, 4, 5) and (outing.writes() or "othing was changed" not in ending.result):
        yield "changed, or not said that it was not"
    if ending.code and "What to do:" not in ending.log:
        yield "no remedy"
    noticed = ending.code != errand.code or (
        errand.message and times == FOR_EVER and not (fault.harmless or words(fault) == NONSENSE)
    )
    if noticed and not re.search(words(fault), ending.text):
        yield f"it does not say: {words(fault)}"
    if ending.seconds > 300:
        yield f"it took {ending.seconds:g} s"


@pytest.mark.parametrize("errand", ERRANDS, ids=str)
def test_trouble_elsewhere_ends_as_it_should(
    errand: Errand,
    elsewhere: Elsewhere,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Exit code and message are right, nothing changes unproven, and no secret goes astray."""
    if not errand.installed:
        pytest.skip("no registry here (apt-get install docker-registry)")
    model = Outing(tmp_path / "model", errand, elsewhere)
    undisturbed = model.run()
    assert undisturbed.code == errand.code, undisturbed.text
    asked = {host: model.parties[host].asked for host in errand.hosts}
    assert all(asked.values()), undisturbed.text
    points = [Point(host, nth) for host in asked for nth in range(1, asked[host] + 1)]
    # A prime step meets every request, every fault and every count.
    cells = share([(p, f, t) for p in points for f in FAULTS for t in TIMES], 13)
    wrong = []
    for number, cell in enumerate(cells):
        outing = Outing(tmp_path / str(number), errand, elsewhere)
        disturb(outing, cell)
        ending = outing.run()
        shutil.rmtree(outing.folder)
        name = f"{cell[0]} {cell[1].name} {counted(cell[2])}"
        wrong += [f"{name}: {text}\n{ending.text}" for text in problems(outing, cell, ending)]
    record_property("cells", len(cells))
    record_property("cells_failed", len(wrong))
    assert not wrong, f"{len(wrong)} of {len(cells)}\n" + "\n".join(wrong)
