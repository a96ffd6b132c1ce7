"""What the property-based tests share."""

from collections.abc import Callable, Iterator

import pytest

from tests.fuzz.share import Tally


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Counts cases."""
    tally = Tally(record_property)
    yield tally
    tally.close()
