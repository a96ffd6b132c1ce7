"""Fixtures of the property-based tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fuzz.share import Tally


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Count the cases of a test."""
    tally = Tally(record_property)
    yield tally
    tally.close()
