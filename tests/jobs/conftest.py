"""A tenant to run commands in."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.support.tenant_jobs import TenantHarness


class Log(logging.Handler):
    """What the pipe logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.text += f"{record.getMessage()}\n"


@pytest.fixture
def log() -> Iterator[Log]:
    """Keep what the pipe logs."""
    logger, handler = logging.getLogger("pipe"), Log()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def tenant() -> Iterator[TenantHarness]:
    """Return an empty tenant; the vendor's models check what was exchanged with it."""
    harness = TenantHarness()
    yield harness
    harness.check()
