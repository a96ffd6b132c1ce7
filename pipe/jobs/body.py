"""The job for a command, and the targets beside which there is none."""

from __future__ import annotations

from pipe.errors import ConfigError, Problem
from pipe.jobs.model import TenantCommand
from pipe.jobs.naming import JobName
from pipe.jobs.shell import PAUSE, container_command, is_shell
from pipe.kind import Kind
from pipe.kinds.service.snapshot import ServiceDetail
from pipe.portal import CronJob
from pipe.portal.job_body import JobBody, JobRequest, of_cronjob
from pipe.portal.job_of_service import of_service

_ELSEWHERE = (
    "Choose a service on Kubernetes or a CronJob as its target, or run the command in the step."
)


def check(command: TenantCommand) -> None:
    """Raise `ConfigError` for a target beside which no job can run."""
    target, detail = command.snapshot.target, command.snapshot.detail
    if isinstance(detail, ServiceDetail) and detail.service.native_docker:
        _refuse(command, f"{target} runs on plain Docker hosts, where the portal has no jobs")
    elif not isinstance(detail, (ServiceDetail, CronJob)):
        noun = target.kind.capabilities.noun
        _refuse(command, f"{target} is a {noun}, beside which the portal runs no jobs")
    elif not command.command and target.kind is not Kind.CRONJOB:
        _refuse(command, f"{target} has no job of its own, and no command is given")


def build(command: TenantCommand, name: JobName) -> JobBody:
    """Return the body of the job; raise `ConfigError` if the target's settings do not allow it."""
    detail, request = command.snapshot.detail, _request(command, name)
    try:
        if isinstance(detail, ServiceDetail):
            return of_service(detail.service, request)
        if isinstance(detail, CronJob):
            return of_cronjob(detail, request)
    except ValueError as problem:
        what = f"cannot run beside {command.snapshot.target}: {problem}"
        fix = "Correct the settings of the target in the portal"
        raise ConfigError([Problem(command.setting, what, f"{fix}.")]) from None
    raise TypeError(command.snapshot)


def _request(command: TenantCommand, name: JobName) -> JobRequest:
    pause = PAUSE if is_shell(command.command) else 0
    return JobRequest(
        name=str(name),
        container=command.key,
        image=command.image,
        command=container_command(command.command),
        environment=command.environment,
        seconds=command.seconds + pause,
        removed=command.removed,
        labels=name.labels,
    )


def _refuse(command: TenantCommand, reason: str) -> None:
    raise ConfigError([Problem(command.setting, f"cannot run: {reason}", _ELSEWHERE)])
