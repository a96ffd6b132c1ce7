"""SECURITY.md: every promise names the tests that hold it."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.contract.documents import ROOT

PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
PROMISES = re.findall(
    r"^\* (.+?)(?=^\* |^###? |\Z)",
    PAGE.partition("## Promises\n")[2].partition("\n## ")[0],
    re.MULTILINE | re.DOTALL,
)
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the test functions in a file of this repository."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    names = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in names if name.startswith("test_"))


def title(promise: str) -> str:
    """Return the beginning of a promise."""
    return " ".join(promise.split())[:40]


def test_the_page_makes_promises() -> None:
    """The patterns of this file find them, and each stands for itself."""
    assert len(PROMISES) > 20
    assert len(set(map(title, PROMISES))) == len(PROMISES)
    assert all(promise.startswith("**") for promise in PROMISES)


@pytest.mark.parametrize("promise", PROMISES, ids=title)
def test_a_promise_names_tests_that_exist(promise: str) -> None:
    """A renamed or deleted test leaves no promise behind."""
    references = REFERENCE.findall(promise)
    assert references, promise
    for path, name in references:
        assert name in names_in(path), f"{path}::{name}"


def test_every_test_that_the_page_names_holds_a_promise() -> None:
    """Nothing else in the page looks like one."""
    named = re.findall(r"tests/[\w/]+\.py::\w+", PAGE)
    assert sorted(named) == sorted(
        f"{path}::{name}" for promise in PROMISES for path, name in REFERENCE.findall(promise)
    )


def test_a_reference_to_a_missing_test_is_found() -> None:
    """This test fails when the search finds everything."""
    assert "test_that_was_renamed" not in names_in("tests/contract/test_security.py")
