"""The release command: once, in the new image, before any target changes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pipe.deploy.tenant_commands import (
    Subject,
    TenantCommands,
    TenantTests,
    remedy_of,
    subject,
)
from pipe.deploy_tests import DeployTestResult
from pipe.errors import CommandFailed
from pipe.jobs import TenantCommand
from pipe.model import Plan
from pipe.settings import Settings
from pipe.settings.tenant_commands import shown

log = logging.getLogger(__name__)

NAME = "RELEASE_COMMAND"


@dataclass(frozen=True)
class ReleaseCommand:
    """The release command of a run, if one is configured; its result goes to `note`.

    A completed command is kept in the tenant until every target has been changed, as the proof
    that it ran: a run that takes the place of one that was killed meanwhile does not repeat it.
    """

    settings: Settings
    commands: TenantCommands
    note: Callable[[DeployTestResult], None]

    def prepare(self, plan: Plan) -> None:
        """Add it to the plan in the log; raise `ConfigError` if it cannot be run."""
        command = self._command(plan)
        if command is None or not plan.changes:
            return
        if not _is_due(plan):
            log.info("Plan: %s: not run again, its targets have been changed already", NAME)
            return
        log.info(
            "Plan: %s: run `%s` in the tenant before any change, in %s with the environment of %s",
            *(NAME, shown(command.command), command.image, command.snapshot.target),
        )
        self.commands.runner.check_ready(command)

    def run(self, plan: Plan) -> None:
        """Run it, unless an earlier run has begun to make the changes that it precedes.

        Raises `CommandFailed`, and `PlatformError` if its end cannot be seen.
        """
        command = self._command(plan)
        if command is None or not _is_due(plan):
            return
        result = self.commands.execute(command)
        self.note(result)
        if not result.passed:
            remedy = remedy_of(result, command)
            raise CommandFailed(f"{NAME} {result.message}; the deploy stops here.", remedy)

    def clear(self, plan: Plan) -> None:
        """Delete what this run or an earlier one left of it, once every target is changed."""
        command = self._command(plan)
        if command is not None and not self.settings.dry_run:
            self.commands.clear(command)

    def tests(self, plan: Plan) -> TenantTests | None:
        """Return what runs deploy tests inside the tenant, None where nothing runs there."""
        target = self.settings.tenant_commands.target
        return TenantTests(self.commands, subject(plan, target)) if target else None

    def what_stays(self) -> str:
        """Return the sentence on the effects of a run that changed no target."""
        if NAME in self.commands.begun:
            return f"No target was changed; what {NAME} did stays."
        return "Nothing was changed."

    def _command(self, plan: Plan) -> TenantCommand | None:
        wanted = self.settings.tenant_commands
        if not wanted.release or wanted.target is None:
            return None
        of = subject(plan, wanted.target)
        return of.command(
            NAME,
            wanted.release,
            key="release",
            seconds=wanted.seconds,
            environment=_environment(of),
            once=True,
        )


def _is_due(plan: Plan) -> bool:
    """Return whether this run makes any change itself."""
    return any(change.resumes is None for change in plan.changes)


def _environment(of: Subject) -> dict[str, str]:
    return {
        NAME: "1",
        "DEPLOY_IMAGE": of.image,
        "DEPLOY_PREVIOUS_IMAGE": of.previous_image,
    }
