"""Names of jobs: what a run recognizes as left by an earlier run of its step."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pipe.jobs.model import TenantCommand
from pipe.jobs.naming import JobName
from pipe.kind import Kind
from pipe.model import Target
from pipe.portal.jobs import Job
from pipe.settings import Step
from tests.support.service_looks import OLD
from tests.support.tenant_commands import LOCAL, STEP, command

AGAIN = replace(STEP, run_number="2")
LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def job(what: TenantCommand, step: Step = STEP) -> Job:
    """The job that a run of a step makes."""
    name = JobName.of(what, step)
    return Job(str(name), labels=name.labels)


def named(service: str) -> TenantCommand:
    """A command beside a service of another name."""
    plain = command()
    return replace(plain, snapshot=replace(plain.snapshot, target=Target(Kind.SERVICE, service)))


def test_the_name_shows_service_build_and_run() -> None:
    assert str(JobName.of(command(), STEP)).startswith("web-release-71-1-")


def test_a_step_that_is_run_again_recognizes_its_job() -> None:
    assert JobName.of(command(), AGAIN).is_same(job(command()))
    assert str(JobName.of(command(), AGAIN)) != job(command()).name


@pytest.mark.parametrize(
    "other",
    [
        command("migrate --all"),
        command(image=OLD),
        command(key="run"),
        replace(command(), snapshot=replace(command().snapshot, target=Target(Kind.ECS, "web"))),
    ],
    ids=["command", "image", "key", "kind"],
)
def test_another_command_has_another_job(other: TenantCommand) -> None:
    assert not JobName.of(command(), AGAIN).is_same(job(other))


@pytest.mark.parametrize(
    "step",
    [
        replace(STEP, build_number="72"),
        replace(STEP, repository_id="{other}"),
        replace(STEP, deployment="staging"),
    ],
    ids=["build", "repository", "deployment"],
)
def test_another_pipeline_has_another_job(step: Step) -> None:
    assert not JobName.of(command(), step).is_same(job(command()))


def test_a_local_run_recognizes_the_job_of_the_one_before() -> None:
    assert str(JobName.of(command(), LOCAL)) == job(command(), LOCAL).name
    assert str(JobName.of(command(), LOCAL)).startswith("web-release-local-1-")


def test_an_earlier_run_of_the_step_left_a_job_for_something_else() -> None:
    assert JobName.of(command(), AGAIN).is_outdated(job(command("old")))


@pytest.mark.parametrize(
    "step", [STEP, replace(AGAIN, step="{other}"), LOCAL], ids=["same-run", "other-step", "local"]
)
def test_a_job_that_a_parallel_run_may_need_is_not_outdated(step: Step) -> None:
    """A second pipe in the same step, or a parallel step, may run something else."""
    assert not JobName.of(command(), step).is_outdated(job(command("old")))


@pytest.mark.parametrize(
    "service", ["web", "Web_API.v2", "9lives", "x" * 80, "--", "a" * 30 + "-" * 30, "ünï"]
)
@pytest.mark.parametrize("build", ["", "7", "9" * 30])
def test_a_name_is_a_label_of_dns_with_room_for_the_pod(service: str, build: str) -> None:
    step = replace(STEP, build_number=build)
    for run in ("", "1", "10", "9" * 9):
        name = str(JobName.of(named(service), replace(step, run_number=run)))
        assert LABEL.fullmatch(name), name
        assert len(name) <= 57


def test_long_names_are_recognized_from_any_run() -> None:
    late = replace(STEP, run_number="1000")
    assert JobName.of(named("x" * 80), late).is_same(job(named("x" * 80)))


def test_labels_are_valid_where_the_step_is_unknown() -> None:
    assert list(JobName.of(command(), LOCAL).labels.values()) == ["1"]
