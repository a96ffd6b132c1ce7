"""ECS tasks of no service in the sandbox: run to an end, with exit codes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Client
from tests.conformance.models import check_log
from tests.sandbox import Command, World
from tests.sandbox.behaviour import Fate
from tests.support.fake_clock import FakeClock

FAMILY = "duploservices-dev01-api-release"


def register(client: Client, family: str = FAMILY, **container: Any) -> Any:
    default = {"Name": "default", "Image": "team/api:2", "Command": ["sh", "-c", "migrate"]}
    body = {
        "Family": family,
        "ContainerDefinitions": [
            {**default, **container},
            {"Name": "log", "Image": "team/log:1", "Essential": False},
        ],
    }
    return client.v2("UpdateEcsTaskDefinition", body)


def run(client: Client, arn: str, count: int = 1) -> int:
    body = {"TaskDefinition": arn, "Count": count}
    path = f"v3/subscriptions/{client.tid}/aws/runEcsTask"
    return client.ask("POST", path, json=body).status_code


def tasks(client: Client) -> Any:
    return client.ask("GET", f"v3/subscriptions/{client.tid}/aws/ecsTasks/{FAMILY}").json()


def codes(task: Any) -> list[int | None]:
    return [container.get("ExitCode") for container in task["Containers"]]


@pytest.mark.parametrize("code", [0, 3])
def test_a_task_of_its_own_family_runs_and_stops_with_an_exit_code(
    client: Client, clock: FakeClock, world: World, code: int
) -> None:
    """The other containers are killed when the first one ends."""
    world.ecs.add("api", "team/api:1")
    world.command("migrate", Command(seconds=5, exit_code=code))
    assert run(client, register(client).json()) == 200
    assert [task["LastStatus"] for task in tasks(client)] == ["PENDING"]
    clock.advance(4)
    assert [task["LastStatus"] for task in tasks(client)] == ["RUNNING"]
    clock.advance(4)
    (task,) = tasks(client)
    assert (task["LastStatus"], codes(task)) == ("STOPPED", [code, 137])
    assert len(client.v2("GetEcsTasks").json()) == 3
    assert world.commands.runs("migrate") == 1
    check_log(world.log)


@pytest.mark.parametrize("fate", ["pull-error", "invalid-name", "config-error", "bad-command"])
def test_a_task_that_did_not_start_has_no_exit_code(
    client: Client, clock: FakeClock, world: World, fate: Fate
) -> None:
    world.command("migrate", Command(fate=fate))
    run(client, register(client).json())
    clock.advance(5)
    (task,) = tasks(client)
    assert (task["StopCode"]["Value"], codes(task)) == ("TaskFailedToStart", [None, None])
    assert world.commands.runs("migrate") == 0


def test_a_task_out_of_memory_says_so(client: Client, clock: FakeClock, world: World) -> None:
    world.command("migrate", Command(out_of_memory=True))
    run(client, register(client).json())
    clock.advance(5)
    main = tasks(client)[0]["Containers"][0]
    assert (main["ExitCode"], "OutOfMemory" in main["Reason"]) == (137, True)


def test_a_script_may_stop_its_command(client: Client, clock: FakeClock, world: World) -> None:
    """No request of the portal stops a task."""
    world.command("migrate", Command(seconds=600))
    script = "migrate & p=$!; (sleep 60; kill -TERM $p) & wait $p; exit $?"
    run(client, register(client, Command=["sh", "-c", script]).json())
    clock.advance(65)
    assert codes(tasks(client)[0]) == [143, 137]


def test_each_run_is_a_task_more(client: Client, world: World) -> None:
    arn = register(client).json()
    assert [run(client, arn), run(client, arn, count=2)] == [200, 200]
    assert len(tasks(client)) == 3
    assert [run(client, "nope"), run(client, arn, count=0)] == [400, 400]


def test_a_portal_may_refuse_a_family_without_a_service(client: Client, world: World) -> None:
    world.ecs.add("api", "team/api:1")
    world.ecs.needs_service = True
    assert register(client).status_code == 400
    assert register(client, "duploservices-dev01-api").status_code == 200
