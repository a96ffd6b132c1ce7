"""The pipe, unchanged, against a real cluster.

A rollout that serves is never red, and one that does not is never green. pytest collects this
file only where it is named, as `make kubernetes` does.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain

import pytest

from tests.live import table
from tests.live.access_cases import ACCESS_CASES
from tests.live.bench import Result
from tests.live.cases import CASES, Case
from tests.live.command_cases import COMMAND_CASES
from tests.live.conftest import Running
from tests.live.modes import by_mode
from tests.live.truth import describe
from tests.support.process import ROOT

LOGS = ROOT / "build" / "kubernetes"
"""The log of every run, and what Kubernetes reported meanwhile."""
_RESOLUTION = 1.0
"""Seconds by which the observer may see something later than the pipe on a busy machine."""
_PAUSES = 10
"""The pipe pauses nine times as long as a look took, so a busy machine makes it late."""
_LONGEST_CASE = 600


# What a command does is the same by whatever account its rollout is followed.
_COMMANDS = [replace(case, mode="false") for case in COMMAND_CASES]
EVERY = [*by_mode([*CASES, *ACCESS_CASES, *_COMMANDS])]


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_the_run_ends_as_kubernetes_did(case: Case, running: Running) -> None:
    """Exit code, reason and time agree with what the cluster itself reported."""
    if case.name not in running:
        pytest.skip("LIVE_REGISTRY is not set, so nodes cannot pull from this machine")
    result = running[case.name].result(_LONGEST_CASE)
    evidence = case.evidence(result)
    beyond = None if evidence is None else result.ended - evidence
    table.add(case, result, beyond)
    explained = _explained(result, evidence)
    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / f"{case.name}.txt").write_text(explained, "utf-8")
    assert result.code == case.code, explained
    assert re.search(case.reason, result.output), explained
    assert beyond is not None, f"Kubernetes never showed the evidence. {explained}"
    latest = case.latest + _PAUSES * result.slowest_answer
    assert -_RESOLUTION <= beyond <= latest, explained
    if case.seen and case.mode != "false":
        assert re.search(case.seen, result.output), explained
    if case.after:
        case.after(result)


def _explained(result: Result, evidence: float | None) -> str:
    """Return the log of the run, and what Kubernetes reported meanwhile."""
    zero = result.changed or result.started
    when = "never" if evidence is None else f"at {evidence - zero:.1f} s"
    seen = sorted([*result.moments, *chain(*result.jobs)], key=lambda one: one.at)
    reported = "\n".join(f"{one.at - zero:6.1f} {describe(one)}" for one in seen)
    return (
        f"The run ended with {result.code} at {result.ended - zero:.1f} s, the evidence was "
        f"there {when}.\n\n{result.output}\n\nWhat Kubernetes reported:\n{reported}"
    )
