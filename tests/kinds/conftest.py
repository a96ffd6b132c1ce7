"""An empty tenant on each generation of the portal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.harness import Harness


@pytest.fixture
def old_harness(tmp_path: Path) -> Harness:
    """An empty tenant on a portal of the earlier generation."""
    return Harness(tmp_path, portal="old")
