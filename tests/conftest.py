"""Fixtures of all tests, and the order in which workers run them."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.harness import Harness

# On a busy machine everything is slow, generating examples included; that is not a failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the workers of pytest-xdist wait for containers in turn."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The image's own tests run without pytest-xdist.
        from tests.support.scheduling import spread  # noqa: PLC0415

        items[:] = spread(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests together that share what takes long to start."""
    from tests.support.scheduling import Scheduling  # noqa: PLC0415

    return Scheduling(config, log)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what lives until the end: modules, tests and their parameters.

    Otherwise it looks at a million objects again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 20)


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
