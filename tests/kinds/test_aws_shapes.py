"""What the sandbox shows of AWS, compared with the models of AWS's own client."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.session import get_session

from tests.sandbox import Behaviour
from tests.sandbox.behaviour import FATES
from tests.sandbox.kinds.lambda_ import UNLISTED
from tests.sandbox.task_definition import usual_definition
from tests.support.harness import Harness


@lru_cache
def model(service: str) -> ServiceModel:
    """Return the client's model of a service."""
    return get_session().get_service_model(service)


def problems(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """Yield what does not fit the shape; the portal capitalises names and wraps enums."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = {name[:1].upper() + name[1:]: one for name, one in shape.members.items()}
        for key, entry in value.items():
            if key not in members:
                yield f"{where}.{key} does not exist"
            elif entry is not None:
                yield from problems(entry, members[key], f"{where}.{key}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for entry in value:
            yield from problems(entry, shape.member, f"{where}[]")
    elif isinstance(shape, StringShape) and shape.enum:
        text = value["Value"] if isinstance(value, dict) else value
        if text not in shape.enum:
            yield f"{where}: {text} is none of {shape.enum}"


@pytest.mark.parametrize("breaker", [True, False])
@pytest.mark.parametrize("fate", FATES)
def test_services_and_tasks_have_the_shape_of_aws(
    harness: Harness, fate: Any, breaker: bool
) -> None:
    """At every moment of a rollout, whatever becomes of it."""
    world = harness.world
    world.behave("t:2", Behaviour(fate))
    api = world.ecs.add("api", "t:1", breaker=(breaker, breaker))
    new = usual_definition({"default": "t:2"}) | {"Family": "duploservices-dev01-api"}
    api.update({**api.document, "TaskDefinition": world.ecs.register(new, api.tenant)})
    for _ in range(40):
        harness.clock.advance(1.0)
        world.advance()
        tasks = [task.body() for task in api.tasks]
        found = [
            *problems(api.aws_body(), model("ecs").shape_for("Service"), "Service"),
            *problems(tasks, model("ecs").shape_for("Tasks"), "Task"),
        ]
        assert found == []


def test_functions_have_the_shape_of_aws(harness: Harness) -> None:
    """While an update is in progress, and after it failed."""
    world = harness.world
    world.behave("t:2", Behaviour("pull-error"))
    resize = world.functions.add("resize", "t:1")
    resize.update("t:2")
    shape = model("lambda").shape_for("FunctionConfiguration")
    for _ in range(5):
        assert list(problems(resize.body(), shape, "Function")) == []
        harness.clock.advance(1.0)
        world.advance()
    assert resize.status == "Failed"


def test_what_the_list_of_functions_leaves_out_is_what_aws_leaves_out() -> None:
    """Its documentation names the fields."""
    documented = model("lambda").operation_model("ListFunctions").documentation
    subset = documented.split("returns a subset")[1].split("</note>")[0]
    assert all(name in subset for name in UNLISTED)
