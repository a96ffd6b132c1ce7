"""The number of cases: a fixed share in `make test`, all of them in `make fuzz`."""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, settings

FULL = os.environ.get("FUZZ") == "full"


def cases(in_full: int) -> settings:
    """Return settings for `in_full` cases in `make fuzz`, and a hundredth of them otherwise.

    In `make test` the cases are always the same; in `make fuzz` they are new every time.
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
    """The number of cases of a test, for the table of `make reliability`."""

    def __init__(self, record_property: Callable[[str, object], None]) -> None:
        self._record = record_property
        self.count = 0

    def one(self) -> int:
        """Count a case and return its number."""
        self.count += 1
        return self.count

    def close(self) -> None:
        """Record the count as a property of the test."""
        self._record("fuzzed", self.count)
