"""The tests and rollouts of a run as JUnit XML, in the form that every reader accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from pipe.deploy_tests.model import DeployTestResult
from pipe.report.record import RunRecord, TargetRecord
from pipe.rollout import Evidence
from pipe.settings import Action

_CLASS = "deploy"
_SUITES = {Action.RUN: "command in"}
_BEFORE_ROLLOUT = ("PRE_DEPLOY_TEST", "RELEASE_COMMAND")
# XML 1.0 forbids these, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Case:
    """`passed` is None for a rollout that did not end."""

    name: str
    passed: bool | None
    seconds: float
    message: str
    output: Sequence[str]


def junit(record: RunRecord) -> str:
    """Return the document, empty when nothing was tested or rolled out."""
    cases = list(_cases(record))
    if not cases:
        return ""
    totals = {
        "name": _clean(f"{_SUITES.get(record.action, 'deploy to')} {record.tenant}"),
        "tests": str(len(cases)),
        "failures": str(sum(case.passed is False for case in cases)),
        "errors": "0",
        "time": _time(sum(case.seconds for case in cases)),
    }
    started = record.started.strftime("%Y-%m-%dT%H:%M:%S")
    skipped = str(sum(case.passed is None for case in cases))
    root = ET.Element("testsuites", totals)
    suite = ET.SubElement(root, "testsuite", {**totals, "skipped": skipped, "timestamp": started})
    suite.extend(_element(case) for case in cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _cases(record: RunRecord) -> Iterator[_Case]:
    """Yield the cases in the order in which they happened."""
    yield from (_test(test) for test in record.tests if test.name in _BEFORE_ROLLOUT)
    yield from (_rollout(entry, record.evidence) for entry in record.targets if entry.message)
    yield from (_test(test) for test in record.tests if test.name not in _BEFORE_ROLLOUT)


def _test(test: DeployTestResult) -> _Case:
    prompt = "GET" if test.kind == "probe" else "$"
    output = (f"{prompt} {test.subject}", *test.output)
    return _Case(test.name, test.passed, test.seconds, test.message, output)


def _rollout(entry: TargetRecord, evidence: Sequence[Evidence]) -> _Case:
    lines = [f"now: {entry.state}"]
    for one in evidence:
        if one.target == entry.target:
            lines += [f"fault: {fault}" for fault in one.faults]
            lines += [f"{one.pod} | {line}" for line in one.log]
    if entry.rollback:
        lines.append(f"rollback: {entry.rollback}")
    return _Case(f"rollout of {entry.target}", entry.passed, entry.seconds, entry.message, lines)


def _element(case: _Case) -> ET.Element:
    element = ET.Element(
        "testcase",
        {"name": _clean(case.name), "classname": _CLASS, "time": _time(case.seconds)},
    )
    text = _clean("\n".join(case.output))
    message = {"message": _clean(case.message)}
    if case.passed is None:
        ET.SubElement(element, "skipped", message)
    elif not case.passed:
        failure = ET.SubElement(element, "failure", {**message, "type": "failed"})
        failure.text = f"{_clean(case.message)}\n{text}"
    ET.SubElement(element, "system-out").text = text
    return element


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"


def _clean(text: str) -> str:
    """Replace the characters that XML forbids."""
    return _FORBIDDEN.sub("\ufffd", text)
