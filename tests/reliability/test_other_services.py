"""The same faults in requests to other services: AWS, registries, pages, messages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.faults import EVIL, FAULTS, FOR_EVER, TIMES, Fault, counted
from tests.reliability.other_services import (
    INTEGRATIONS,
    Integration,
    IntegrationHarness,
    Services,
    start_services,
)
from tests.reliability.scenarios import share
from tests.sandbox import ApiFault
from tests.support.harness import RunResult

UNREADABLE = "not from AWS|may not be a registry|returned no token|makes no sense"
WORDS = {
    "rate": "Rate exceeded|400",
    "truncated": UNREADABLE,
    "html": UNREADABLE,
    "huge": r"more than \d+ MB",
    "redirect": f"302|{EVIL}",
}


@dataclass(frozen=True)
class Point:
    """A request of the run without faults: the `nth` to that host."""

    host: str
    nth: int


Cell = tuple[Point, Fault, int]


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Start AWS and a registry."""
    with start_services(tmp_path_factory.mktemp("services")) as running:
        yield running


def inject(harness: IntegrationHarness, cell: Cell) -> None:
    """Schedule the fault of one cell."""
    point, fault, times = cell
    app = harness.apps[point.host]
    if fault.slow:
        delayed = range(point.nth, point.nth + times)
        app.before = lambda number: harness.clock.advance(10.0 * (number in delayed))
    else:
        app.faults.append(ApiFault(skip=point.nth - 1, times=times, **fault.options))


def expected(integration: Integration, fault: Fault, times: int) -> set[int]:
    """Return the exit codes that a cell may have."""
    clean, failing = {integration.code}, set(integration.failing)
    if fault.harmless:
        return clean
    if integration.polls:
        # Only the status of the response counts.
        succeeds = times < FOR_EVER or fault.name in ("truncated", "html")
        return clean if succeeds else failing
    # An error that only AWS returns.
    retryable = fault.retryable and not (
        integration.name in ("registry", "tags") and fault.name == "rate"
    )
    if retryable and (times == 1 or (times < FOR_EVER and not fault.silent)):
        return clean
    return failing if times == FOR_EVER else clean | failing


def words(fault: Fault) -> str:
    """Return the pattern of the message of a run that fails because of it."""
    status = fault.options.get("status")
    return str(status) if status else WORDS.get(fault.name, fault.words)


def problems(harness: IntegrationHarness, cell: Cell, result: RunResult) -> Iterator[str]:
    """Yield what is wrong with a cell."""
    _, fault, times = cell
    integration, image = harness.integration, harness.environ()["IMAGE"]
    allowed = expected(integration, fault, times)
    if result.code not in allowed:
        yield f"exit code {result.code}, expected one of {sorted(allowed)}"
    if result.code == 1 or "Traceback" in result.text:
        yield "an unexpected exception"
    if harness.leaks:
        yield f"secrets were sent to another host: {harness.leaks} of {harness.hosts}"
    if EVIL in harness.hosts and not integration.redirects:
        yield f"a redirect was followed: {harness.hosts}"
    if result.code == 0 and harness.web.image != image:
        yield f"success with {harness.web.image}"
    if result.code in (3, 4, 5) and (harness.writes() or "othing was changed" not in result.stdout):
        yield "a change, or no statement that there was none"
    if result.code and "What to do:" not in result.log:
        yield "no remedy"
    noticed = result.code != integration.code or (
        integration.message
        and times == FOR_EVER
        and not (fault.harmless or words(fault) == UNREADABLE)
    )
    if noticed and not re.search(words(fault), result.text):
        yield f"the message lacks: {words(fault)}"
    if result.seconds > 300:
        yield f"it took {result.seconds:g} s"


@pytest.mark.parametrize("integration", INTEGRATIONS, ids=str)
def test_a_fault_of_another_service_ends_as_it_should(
    integration: Integration,
    services: Services,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Exit code and message fit, nothing unverified is deployed, no secret reaches another host."""
    if not integration.installed:
        pytest.skip("no registry is installed (apt-get install docker-registry)")
    model = IntegrationHarness(tmp_path / "model", integration, services)
    clean = model.run()
    assert clean.code == integration.code, clean.text
    requests = {host: model.apps[host].requests for host in integration.hosts}
    assert all(requests.values()), clean.text
    points = [Point(host, nth) for host in requests for nth in range(1, requests[host] + 1)]
    # A prime step reaches every request, every fault and every count.
    cells = share([(p, f, t) for p in points for f in FAULTS for t in TIMES], 13)
    wrong = []
    for number, cell in enumerate(cells):
        harness = IntegrationHarness(tmp_path / str(number), integration, services)
        inject(harness, cell)
        result = harness.run()
        shutil.rmtree(harness.folder)
        name = f"{cell[0]} {cell[1].name} {counted(cell[2])}"
        wrong += [f"{name}: {text}\n{result.text}" for text in problems(harness, cell, result)]
    record_property("cells", len(cells))
    record_property("cells_failed", len(wrong))
    assert not wrong, f"{len(wrong)} of {len(cells)}\n" + "\n".join(wrong)
