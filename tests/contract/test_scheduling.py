"""The tests' own order: what pytest-xdist hands out together exists, and stays together."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.contract.documents import ROOT
from tests.support.scheduling import TOGETHER, spread, unit


@pytest.mark.parametrize("name", TOGETHER)
def test_tests_that_share_what_takes_long_to_start_stay_together(name: str) -> None:
    """After a file is renamed, every worker would start it."""
    path = ROOT / name
    files = sorted(path.glob("test_*.py")) if name.endswith("/") else [path]
    assert files
    for file in files:
        nodeid = str(file.relative_to(ROOT))
        assert file.exists()
        assert unit(f"{nodeid}::test_one") == unit(f"{nodeid}::test_two[a::b]")


def test_other_tests_are_handed_out_one_by_one() -> None:
    """Workers that are free early take more of them."""
    assert unit("tests/scenario/test_x.py::test_one") != unit("tests/scenario/test_x.py::test_two")


class Item:
    """What the order looks at."""

    def __init__(self, nodeid: str, *, waits: bool = False) -> None:
        self.nodeid, self.waits = nodeid, waits

    def get_closest_marker(self, name: str) -> object:
        return self if self.waits and name == "container" else None


def test_tests_that_wait_for_containers_are_spread_among_those_that_compute() -> None:
    """Files that stay together come first, as pytest-xdist orders them anyway."""
    waiting = [Item(f"tests/container/test_x.py::test_{n}", waits=True) for n in range(3)]
    computing = [Item(f"tests/scenario/test_x.py::test_{n}") for n in range(6)]
    short = Item("tests/unit/test_x.py::test_one")
    order: Any = spread(cast(Any, [*waiting, *computing, short]))
    assert order[0] is short
    assert [one.waits for one in order[1:]] == [True, False, False] * 3
    assert sorted(one.nodeid for one in order) == sorted(
        one.nodeid for one in [*waiting, *computing, short]
    )
