"""A real registry; its tests are skipped where none is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.registry import BINARY, Registry


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder, naming the package to install."""
    folder = Path(__file__).parent
    skip = pytest.mark.skip(reason="no registry is installed (apt-get install docker-registry)")
    for item in items:
        if BINARY is None and folder in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry without authentication, with the tags 1.4.0 to 1.4.2 and nightly of team/web."""
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        for tag in ("1.4.0", "1.4.1", "1.4.2", "nightly"):
            registry.push("team/web", tag)
        yield registry
