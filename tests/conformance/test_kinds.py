"""The sandbox knows every kind of target that the pipe deploys."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.kind import Kind
from tests.sandbox import World
from tests.sandbox.kinds import KINDS


def test_every_kind_of_the_pipe_has_a_module_in_the_sandbox() -> None:
    """A new kind needs tests/sandbox/kinds/<kind>.py, whose name is how it is found."""
    assert {*KINDS, "service"} == {kind.value for kind in Kind}


@pytest.mark.parametrize("name", KINDS)
def test_a_world_holds_the_targets_of_every_kind(name: str, world: World) -> None:
    """A target that was added is found by tenant and name, and runs its image."""
    targets = getattr(world, KINDS[name].attribute)
    target: Any = targets.add("web", "team/web:1")
    tenant = world.tenant("dev01")
    assert targets is world.resources[name]
    assert target.image == "team/web:1"
    assert targets.find(tenant, target.name) is target


def test_a_reset_forgets_the_targets_of_every_kind(world: World) -> None:
    """A world that is cleared has no targets left."""
    for targets in world.resources.values():
        targets.add("web", "team/web:1")
    world.clear()
    assert not any(targets.items for targets in world.resources.values())
