"""A portal that processes can reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox import Server, World
from tests.support.real_time import real_time_world


@pytest.fixture
def world() -> World:
    """A world on this machine's clock, with short rollouts."""
    return real_time_world(0.2)


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    """That world over plain HTTP."""
    with Server(world) as server:
        yield server
