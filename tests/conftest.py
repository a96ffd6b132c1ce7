"""What every test may ask for."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.stage import Stage

# A busy machine is slow at everything, making up examples included: that is no finding.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A portal with one tenant and nothing in it yet."""
    return Stage(tmp_path)


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the pipe logs from now on, as `LEVEL: message`."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(f"{record.levelname}: {record.getMessage()}")  # type: ignore[method-assign]
    logger = logging.getLogger("pipe")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.setLevel(level)
    logger.removeHandler(handler)
