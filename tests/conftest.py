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

_SHORT = ("contract", "kubernetes", "unit")
"""Folders whose tests take milliseconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread tests that wait for containers among those that compute, and end with short ones.

    Otherwise all workers of pytest-xdist wait for containers at the same time, and at the end one
    of them is the last by seconds.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    waiting = [item for item in items if item.get_closest_marker("container")]
    computing = [item for item in items if not item.get_closest_marker("container")]
    computing.sort(key=lambda item: item.path.parent.name in _SHORT)
    long = sum(item.path.parent.name not in _SHORT for item in computing)
    for number, item in reversed(list(enumerate(waiting))):
        computing.insert(number * long // len(waiting), item)
    items[:] = computing


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests together that share what takes long to start."""
    # The image's own tests run without pytest-xdist.
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
