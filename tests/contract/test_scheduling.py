"""The tests' own order: what pytest-xdist hands out together exists, and stays together."""

from __future__ import annotations

import pytest

from tests.contract.documents import ROOT
from tests.support.scheduling import TOGETHER, unit


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
