"""Each of the 39 traps of the portal's API is named by a test."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from pipe.kind import Kind

TESTS = Path(__file__).parents[1]
ALL = set(range(1, 40))
OTHER_KINDS = set(range(34, 39))
"""Traps of ECS, Lambda and CronJobs."""
_NAMED = re.compile(r"traps? (\d+(?:(?:, | and |, and |-)\d+)*)", re.IGNORECASE)


def named_in(text: str) -> set[int]:
    """Return the numbers of the traps that a docstring names."""
    found: set[int] = set()
    for match in _NAMED.findall(text):
        for part in re.split(r", and |, | and ", match):
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    return found


def index() -> dict[int, list[str]]:
    """Return the tests that name each trap."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in named_in(ast.get_docstring(node) or ""):
                    found[number].append(f"{path.name}::{node.name}")
    return found


def test_every_trap_has_its_test(record_property: Callable[[str, object], None]) -> None:
    """No trap is left without a test."""
    covered = index()
    due = ALL if len(Kind) > 1 else ALL - OTHER_KINDS
    record_property("traps", len(covered.keys() & ALL))
    assert not due - covered.keys()
    assert not covered.keys() - ALL
