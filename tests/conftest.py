"""What every test may ask for."""

from pathlib import Path

import pytest

from tests.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A portal with one tenant and nothing in it yet."""
    return Stage(tmp_path, capsys)
