"""Which tests run in the same worker of pytest-xdist, and in which order.

`--dist loadgroup` would read marks, but pytest-xdist 3.8 loses them with pytest 9.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    # Their tests take milliseconds, so that handing them out one by one would take longer.
    "tests/contract/",
    "tests/kubernetes/",
    "tests/unit/",
    # What they share takes seconds to start: waiting commands, registries, a browser.
    "tests/conformance/test_vendor_cli.py",
    "tests/registry/",
    "tests/report/test_page.py",
)
"""Folders and files; all tests of such a file run in one worker."""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out the tests of a file together where that is worthwhile, and others one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """Return the name of the tests that are handed out together with this one."""
    return nodeid.partition("::")[0] if nodeid.startswith(TOGETHER) else nodeid


def spread(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with those that wait for containers spread among those that compute.

    Otherwise all workers would wait at the same time. Files that stay together come first anyway.
    """
    waiting = [item for item in items if item.get_closest_marker("container")]
    others = [item for item in items if not item.get_closest_marker("container")]
    together = [item for item in others if unit(item.nodeid) != item.nodeid]
    alone = [item for item in others if unit(item.nodeid) == item.nodeid]
    gap = len(alone) / max(1, len(waiting))
    for number, item in reversed(list(enumerate(waiting))):
        alone.insert(int(number * gap), item)
    return together + alone
