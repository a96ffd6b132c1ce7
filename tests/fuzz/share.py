"""How many cases: a fixed share in `make test`, the whole in `make fuzz`."""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, settings

FULL = os.environ.get("FUZZ") == "full"


def cases(in_full: int) -> settings:
    """Settings for a test that is worth that many cases in full, and a hundredth of it always.

    In `make test` the cases are the same every time; in full they are new ones each night.
    """
    return settings(
        max_examples=in_full if FULL else max(20, in_full // 100),
        derandomize=not FULL,
        database=None,
        deadline=None,
        print_blob=FULL,
        suppress_health_check=list(HealthCheck),
    )


class Tally:
    """Counts the cases of a test for the table of `make reliability`."""

    def __init__(self, record_property: Callable[[str, object], None]) -> None:
        self._record = record_property
        self.count = 0

    def one(self) -> int:
        """One more case; its number."""
        self.count += 1
        return self.count

    def close(self) -> None:
        """Hand the count on."""
        self._record("fuzzed", self.count)
