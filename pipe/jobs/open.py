"""What runs commands in a tenant."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.deploy_tests import CommandResult
from pipe.deploy_tests.model import WriteLine
from pipe.errors import PipeError
from pipe.jobs.ecs_runner import EcsRunner
from pipe.jobs.model import TenantCommand, TenantRunner
from pipe.jobs.runner import JobRunner
from pipe.kind import Kind
from pipe.kubernetes import Cluster
from pipe.portal import Pod, TenantPortal
from pipe.settings import KubernetesView, Settings

log = logging.getLogger(__name__)


def open_runner(
    portal: TenantPortal,
    clock: Clock,
    settings: Settings,
    mask: Callable[[str], str],
    connect: Callable[[], Cluster] | None = None,
) -> TenantRunner:
    """Return what runs commands beside targets; `mask` hides secrets in their output.

    `connect` opens Kubernetes itself, which shows how a command ended where the portal does not.
    """

    def pods_inside(job: str) -> Sequence[Pod]:
        if connect is None or settings.kubernetes is KubernetesView.NEVER:
            return ()
        try:
            return connect().pods_of_job(job)
        except PipeError as error:
            log.debug("Kubernetes does not show the pods of %s: %s", job, error)
            return ()

    return _Runners(
        JobRunner(
            portal,
            clock,
            settings.step,
            mask,
            keep_failed=settings.debug,
            pods_inside=pods_inside,
        ),
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
