"""The tests and rollouts of a run as JUnit XML, in the form that every reader knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

_CLASS = "deploy"
_BEFORE = "PRE_DEPLOY_TEST"
# XML 1.0 forbids these, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Case:
    """`passed` is None for what did not come to an end."""

    name: str
    passed: bool | None
    seconds: float
    message: str
    output: Sequence[str]


def junit(data: Mapping[str, Any]) -> str:
    """The document, from the record as plain data; empty when there is nothing to tell."""
    cases = list(_cases(data))
    if not cases:
        return ""
    totals = {
        "name": _clean(f"deploy to {data['tenant']}"),
        "tests": str(len(cases)),
        "failures": str(sum(case.passed is False for case in cases)),
        "errors": "0",
        "time": _time(sum(case.seconds for case in cases)),
    }
    started = str(data["started"])[: len("2026-01-01T00:00:00")]
    skipped = str(sum(case.passed is None for case in cases))
    root = ET.Element("testsuites", totals)
    suite = ET.SubElement(root, "testsuite", {**totals, "skipped": skipped, "timestamp": started})
    suite.extend(_element(case) for case in cases)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _cases(data: Mapping[str, Any]) -> Iterator[_Case]:
    """In the order in which they happened."""
    yield from (_test(entry) for entry in data["tests"] if entry["name"] == _BEFORE)
    yield from (_rollout(entry, data) for entry in data["targets"] if entry["message"])
    yield from (_test(entry) for entry in data["tests"] if entry["name"] != _BEFORE)


def _test(entry: Mapping[str, Any]) -> _Case:
    asked = f"GET {entry['subject']}" if entry["kind"] == "probe" else f"$ {entry['subject']}"
    output = (asked, *entry["output"])
    return _Case(entry["name"], entry["passed"], entry["seconds"], entry["message"], output)


def _rollout(entry: Mapping[str, Any], data: Mapping[str, Any]) -> _Case:
    lines = [f"now: {entry['state']}"]
    for found in data["evidence"]:
        if found["target"] == entry["name"]:
            lines += [f"fault: {text}" for text in found["faults"]]
            lines += [f"{found['pod']} | {text}" for text in found["log"]]
    if entry["rollback"]:
        lines.append(f"the way back: {entry['rollback']}")
    name = f"rollout of {entry['name']}"
    return _Case(name, entry["passed"], entry["seconds"], entry["message"], lines)


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
    """`text` without the characters that no XML document may hold."""
    return _FORBIDDEN.sub("\ufffd", text)
