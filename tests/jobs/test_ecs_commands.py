"""A command as a task of ECS: once, in a family of its own, judged by its exit code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipe.deploy_tests import CommandResult
from pipe.deploy_tests.model import describe
from pipe.errors import ConfigError, Refused
from pipe.jobs.ecs_runner import EcsRunner
from pipe.jobs.model import SHELL, TenantCommand
from pipe.kind import Kind
from pipe.kinds.ecs.driver import EcsDriver
from pipe.model import Target
from pipe.settings import Step
from tests.jobs.conftest import Log
from tests.sandbox import ApiFault, Behaviour, Command
from tests.sandbox.task_definition import usual_definition
from tests.support.tenant_commands import STEP, command
from tests.support.tenant_jobs import TenantHarness

AGAIN = replace(STEP, run_number="2")
IMAGE = "team/api:2"
FAMILY = "duploservices-dev01-api-release"


@pytest.fixture
def ecs(tenant: TenantHarness) -> TenantHarness:
    """Return a tenant with an ECS service, which has a side container."""
    given = usual_definition({"api": "team/api:1", "log": "log:1"})
    main = given["ContainerDefinitions"][0]
    main["Environment"] = [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]
    main["LogConfiguration"] = {
        "LogDriver": {"Value": "awslogs"},
        "Options": {"awslogs-group": "/ecs/api", "awslogs-stream-prefix": "ecs"},
    }
    tenant.world.ecs.add("api", "", definition=given)
    return tenant


def beside(ecs: TenantHarness, **own: Any) -> TenantCommand:
    """A command beside the ECS service."""
    target = Target(Kind.ECS, "api")
    snapshot = EcsDriver(ecs.portal(), ecs.clock).read([target])[target]
    return command(snapshot=snapshot, image=IMAGE, **own)


def run(ecs: TenantHarness, step: Step = STEP, **own: Any) -> CommandResult:
    """Run a command in a new run."""
    what = beside(ecs, **own)
    return EcsRunner(ecs.portal(), ecs.clock, step).run(what, ecs.write)


def registered(ecs: TenantHarness) -> dict[str, Any]:
    """The newest task definition."""
    return dict(list(ecs.world.ecs.definitions.values())[-1])


def test_a_command_succeeds_in_a_family_of_its_own(ecs: TenantHarness, log: Log) -> None:
    ecs.world.command("migrate", Command(seconds=5))
    result = run(ecs, environment={"A": "new"}, removed=frozenset({"B"}))
    assert result.passed
    definition = registered(ecs)
    (container,) = definition["ContainerDefinitions"]
    assert (definition["Family"], container["Image"]) == (FAMILY, IMAGE)
    assert container["Essential"] is True
    assert [*container["EntryPoint"], *container["Command"]][:2] == [*SHELL]
    variables = {one["Name"]: one["Value"] for one in container["Environment"]}
    assert variables.pop("DEPLOY_PIPE_COMMAND").startswith("api-release-71-")
    assert variables == {"A": "new"}
    assert ecs.world.jobs.runs("migrate") == 1
    assert "The task runs without log." in log.text


def test_the_place_of_the_log_is_named(ecs: TenantHarness) -> None:
    (note,) = run(ecs).output
    assert note.startswith("[the log is in CloudWatch, group /ecs/api, stream ecs/api/")
    assert ecs.texts == [note]


def test_a_failure_shows_the_exit_status(ecs: TenantHarness) -> None:
    ecs.world.command("migrate", Command(exit_code=3))
    assert describe(run(ecs), 60) == "failed with exit status 3"


def test_a_command_out_of_memory_is_named_as_such(ecs: TenantHarness) -> None:
    ecs.world.command("migrate", Command(out_of_memory=True))
    assert "out of memory" in describe(run(ecs), 60)


@pytest.mark.parametrize("fate", ["pull-error", "config-error"])
def test_a_task_that_cannot_start_shows_its_reason(ecs: TenantHarness, fate: str) -> None:
    ecs.world.behave(IMAGE, Behaviour(fate))  # type: ignore[arg-type]
    result = run(ecs, seconds=600)
    assert describe(result, 600).startswith("could not be started: ")
    assert result.remedy
    assert result.seconds < 120


def test_a_task_without_an_end_is_given_up_at_the_limit(ecs: TenantHarness) -> None:
    ecs.world.command("migrate", Command(seconds=3600))
    result = run(ecs, seconds=30, command=("migrate",))
    assert result.timed_out
    assert 30 <= result.seconds <= 100


@pytest.mark.parametrize("kind", ["reset-after", "silence-after", "truncated", "html"])
@pytest.mark.parametrize("path", ["runEcsTask", "UpdateEcsTaskDefinition"])
def test_a_lost_reply_starts_nothing_twice(ecs: TenantHarness, kind: str, path: str) -> None:
    ecs.world.script(ApiFault("POST", path, kind))  # type: ignore[arg-type]
    assert run(ecs).passed
    assert ecs.world.jobs.runs("migrate") == 1


def test_a_task_that_was_not_started_is_started_again(ecs: TenantHarness) -> None:
    ecs.world.script(ApiFault("POST", "runEcsTask", "reset-before"))
    assert run(ecs).passed
    assert ecs.world.jobs.runs("migrate") == 1


def test_the_next_run_of_the_step_does_not_run_it_again(ecs: TenantHarness) -> None:
    assert run(ecs).passed
    assert run(ecs, AGAIN).passed
    assert ecs.world.jobs.runs("migrate") == 1
    assert run(ecs, replace(STEP, build_number="72")).passed
    assert run(ecs, AGAIN, once=False).passed
    assert ecs.world.jobs.runs("migrate") == 3


def test_an_interrupted_command_is_followed_by_the_next_run(ecs: TenantHarness) -> None:
    ecs.world.command("migrate", Command(seconds=20))
    what, runner = beside(ecs), EcsRunner(ecs.portal(), ecs.clock, STEP)
    with ecs.interrupted(KeyboardInterrupt, 8), pytest.raises(KeyboardInterrupt):
        runner.run(what, ecs.write)
    assert "the portal cannot stop it" in runner.stop()
    assert run(ecs, AGAIN).passed
    assert ecs.world.jobs.runs("migrate") == 1


@pytest.mark.parametrize("status", [404, 405, 500, 503])
def test_an_outage_is_waited_for(ecs: TenantHarness, status: int) -> None:
    """A list that was there is not missing because a gateway says so for a moment."""
    ecs.world.command("migrate", Command(seconds=20))
    ecs.world.script(ApiFault("GET", "ecsTasks", "status", status=status, times=5, skip=2))
    assert run(ecs).passed


def test_a_portal_that_lists_no_tasks_is_named_before_anything_runs(ecs: TenantHarness) -> None:
    ecs.world.script(ApiFault("GET", "ecsTasks", "status", status=404, times=99))
    runner = EcsRunner(ecs.portal(), ecs.clock, STEP)
    words = "cannot run commands in ECS: it answered 404 for the tasks of"
    with pytest.raises(Refused, match=words) as caught:
        runner.check_ready(beside(ecs))
    assert "Have the portal updated" in caught.value.remedy


@pytest.mark.parametrize("times", [1, 3])
def test_a_passing_failure_before_the_task_is_waited_for(ecs: TenantHarness, times: int) -> None:
    """An explanation of a rollout would do without the list; a command must not."""
    runner, what = EcsRunner(ecs.portal(), ecs.clock, STEP), beside(ecs)
    for call in (runner.check_ready, lambda what: runner.run(what, ecs.write)):
        ecs.world.script(ApiFault("GET", "ecsTasks", "status", status=500, times=times))
        call(what)
    assert ecs.world.jobs.runs("migrate") == 1


@pytest.mark.parametrize("status", [404, 405, 500])
def test_an_answer_that_keeps_coming_is_named(ecs: TenantHarness, status: int) -> None:
    runner, what = EcsRunner(ecs.portal(), ecs.clock, STEP), beside(ecs)
    runner.check_ready(what)
    ecs.world.script(ApiFault("GET", "ecsTasks", "status", status=status, times=999))
    with pytest.raises(Refused, match=f"answered {status} for the tasks of {FAMILY}"):
        runner.run(what, ecs.write)
    assert ecs.world.jobs.runs("migrate") == 0


def test_a_service_has_no_job_of_its_own(ecs: TenantHarness) -> None:
    with pytest.raises(ConfigError):
        EcsRunner(ecs.portal(), ecs.clock, STEP).check_ready(beside(ecs, command=()))


@pytest.mark.parametrize("arrives", [False, True], ids=["before", "after"])
def test_a_run_killed_at_any_request_starts_nothing_twice(*, arrives: bool) -> None:
    for number in range(30):
        tenant = TenantHarness()
        tenant.world.ecs.add("api", "team/api:1")
        what = beside(tenant)
        runner = EcsRunner(tenant.portal(), tenant.clock, STEP)
        was_killed = tenant.kill_at_request(what, number, arrives=arrives, runner=runner)
        assert run(tenant, AGAIN).passed
        assert tenant.world.jobs.runs("migrate") == 1, number
        if not was_killed:
            assert number > 3
            return
    pytest.fail("a run has more than 30 requests")
