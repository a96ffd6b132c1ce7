"""The commands that a run starts inside the tenant, and what is known of their effects."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipe.configuration import EnvironmentEdit
from pipe.deploy_tests import Command, CommandResult, DeployTestResult
from pipe.deploy_tests.model import WriteLine, concluded
from pipe.jobs import TenantCommand, TenantRunner
from pipe.model import MAIN, Plan, Snapshot, Target
from pipe.settings.tenant_commands import in_shell, shown

log = logging.getLogger(__name__)

KIND = "job"
"""The kind of a test or command that runs inside the tenant, in reports."""
_OWN = "the CronJob's own command"
_KEYS = {"PRE_DEPLOY_TEST": "pre", "POST_DEPLOY_TEST": "post"}


@dataclass(frozen=True)
class Subject:
    """The target whose environment commands get, as a plan leaves it.

    `image` is the main container's once the plan is carried out, `previous_image` the present one.
    `edit` is what the plan changes in its environment.
    """

    snapshot: Snapshot
    image: str
    previous_image: str
    edit: EnvironmentEdit = field(default_factory=EnvironmentEdit)

    def command(
        self,
        setting: str,
        command: tuple[str, ...],
        *,
        key: str,
        seconds: float,
        environment: Mapping[str, str],
        image: str = "",
        once: bool = False,
    ) -> TenantCommand:
        """Return a command for this target; `image` replaces the target's own."""
        values = {name: value.reveal() for name, value in self.edit.values.items()}
        return TenantCommand(
            setting=setting,
            command=command,
            snapshot=self.snapshot,
            image=image or self.image,
            environment={**values, **environment},
            removed=self.edit.removed,
            seconds=seconds,
            key=key,
            once=once,
        )


def subject(plan: Plan, target: Target) -> Subject:
    """Return a target of a plan as commands inside the tenant see it."""
    for change in plan.changes:
        if change.target == target:
            edit = change.sets.environment.get(MAIN, EnvironmentEdit())
            return Subject(change.before, change.wanted[MAIN], change.before.images[MAIN], edit)
    (unchanged,) = (snapshot for snapshot in plan.unchanged if snapshot.target == target)
    return Subject(unchanged, unchanged.images[MAIN], unchanged.images[MAIN])


def remedy_of(result: DeployTestResult, command: TenantCommand) -> str:
    """Return what to do about a command that failed."""
    if result.remedy:
        return f"The command did not run. {result.remedy}"
    if result.seconds >= command.seconds:
        return "Its output is above. Raise RELEASE_TIMEOUT if it only needs more time."
    return "Its output is above. Fix what it reports, then run the step again."


@dataclass
class TenantCommands:
    """Runs commands inside the tenant.

    `stopped` is the sentence on a command that an interruption stopped. `begun` names the
    commands that did something, or may have.
    """

    runner: TenantRunner
    stopped: str = ""
    begun: list[str] = field(default_factory=list)

    def execute(self, command: TenantCommand) -> DeployTestResult:
        """Run a command with its output in the log, and return how it ended.

        Raises `PlatformError` if that cannot be known.
        """
        name = command.setting
        target, seconds = command.snapshot.target, command.seconds
        log.info(
            "%s: running in the tenant, in %s with the environment of %s, for at most %g s.",
            *(name, command.image, target, seconds),
        )
        result = self.run(command, lambda line: log.info("%s | %s", name, line))
        subject = shown(command.command) or _OWN
        return concluded(name, KIND, subject, result, seconds)

    def run(self, command: TenantCommand, write_line: WriteLine) -> CommandResult:
        """See `TenantRunner`; notes what the command may have done."""
        self.begun.append(command.setting)
        try:
            result = self.runner.run(command, write_line)
        except KeyboardInterrupt:
            self.stopped = self.runner.stop()
            raise
        if result.remedy:
            # It could not be started.
            self.begun.remove(command.setting)
        return result

    def clear(self, command: TenantCommand) -> None:
        """See `TenantRunner`; an interruption leaves the rest to the next run of the step."""
        try:
            self.runner.clear(command)
        except KeyboardInterrupt:
            log.warning("Stopped while deleting the job of %s.", command.setting)


@dataclass(frozen=True)
class TenantTests:
    """Runs deploy tests inside the tenant: a `Runner` of `pipe.deploy_tests`."""

    commands: TenantCommands
    subject: Subject

    def check_ready(self, command: Command) -> None:
        """See `Runner`."""
        self.commands.runner.check_ready(self._inside(command))

    def run(self, command: Command, write_line: WriteLine) -> CommandResult:
        """See `Runner`."""
        return self.commands.run(self._inside(command), write_line)

    def _inside(self, command: Command) -> TenantCommand:
        return self.subject.command(
            command.name,
            in_shell(command.text),
            key=_KEYS[command.name],
            seconds=command.seconds,
            environment=command.environment,
            image=str(command.image) if command.image else "",
        )
