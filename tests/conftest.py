"""Fixtures of all tests."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.harness import Harness

# On a busy machine everything is slow, generating examples included; that is not a failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """A portal with one empty tenant, and runs of the pipe against it."""
    return Harness(tmp_path)


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The pipe's log lines from now on, as `LEVEL: message`."""
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
