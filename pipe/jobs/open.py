"""What runs commands in a tenant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.deploy_tests import CommandResult
from pipe.deploy_tests.model import WriteLine
from pipe.jobs.ecs_runner import EcsRunner
from pipe.jobs.model import TenantCommand, TenantRunner
from pipe.jobs.runner import JobRunner
from pipe.kind import Kind
from pipe.portal import TenantPortal
from pipe.settings import Settings


def open_runner(
    portal: TenantPortal, clock: Clock, settings: Settings, mask: Callable[[str], str]
) -> TenantRunner:
    """Return what runs commands beside targets; `mask` hides secrets in their output."""
    return _Runners(
        JobRunner(portal, clock, settings.step, mask, keep_failed=settings.debug),
        EcsRunner(portal, clock, settings.step),
    )


@dataclass(frozen=True)
class _Runners(TenantRunner):
    """Runs a command where its target runs."""

    jobs: TenantRunner
    tasks: TenantRunner

    def check_ready(self, command: TenantCommand) -> None:
        """See `TenantRunner`."""
        self._of(command).check_ready(command)

    def run(self, command: TenantCommand, write_line: WriteLine) -> CommandResult:
        """See `TenantRunner`."""
        return self._of(command).run(command, write_line)

    def clear(self, command: TenantCommand) -> None:
        """See `TenantRunner`."""
        self._of(command).clear(command)

    def stop(self) -> str:
        """See `TenantRunner`; one command runs at a time."""
        return self.jobs.stop() or self.tasks.stop()

    def _of(self, command: TenantCommand) -> TenantRunner:
        is_task = command.snapshot.target.kind is Kind.ECS
        return self.tasks if is_task else self.jobs
