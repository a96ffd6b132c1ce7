"""A real registry; without one installed these tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.registry import BINARY, Registry


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests, naming the package to install."""
    here = Path(__file__).parent
    skip = pytest.mark.skip(reason="no registry is installed (apt-get install docker-registry)")
    for item in items:
        if BINARY is None and here in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run an open registry with tags of team/web."""
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        for tag in ("1.4.0", "1.4.1", "1.4.2", "nightly"):
            registry.push("team/web", tag)
        yield registry
