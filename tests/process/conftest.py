"""A portal for processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipe.clock import SystemClock
from tests.sandbox import Server, World


@pytest.fixture
def world() -> World:
    """A world on the machine's own clock, with quick rollouts."""
    world = World(SystemClock())
    world.rollout_seconds = 0.2
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1.4.1", replicas=2)
    return world


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    """That world over plain http."""
    with Server(world) as server:
        yield server
