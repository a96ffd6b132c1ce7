"""What runs commands inside the tenant, without a tenant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipe.deploy_tests import CommandResult
from pipe.deploy_tests.model import WriteLine
from pipe.jobs import TenantCommand, TenantRunner


@dataclass
class FakeTenantRunner(TenantRunner):
    """Notes its commands, and calls `action` with each instead of running it.

    `results` holds how commands end, by setting: well where none is given. `log` is written
    by each. `left` holds the completed jobs that nothing cleared, by key.
    """

    action: Callable[[TenantCommand], object] = lambda _: None
    results: dict[str, CommandResult] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    refusal: Exception | None = None
    commands: list[TenantCommand] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    cleared: list[str] = field(default_factory=list)

    @property
    def ran(self) -> list[str]:
        """The settings of the commands that ran, in order."""
        return [command.setting for command in self.commands]

    def check_ready(self, command: TenantCommand) -> None:
        """See `TenantRunner`."""
        if self.refusal:
            raise self.refusal

    def run(self, command: TenantCommand, write_line: WriteLine) -> CommandResult:
        """See `TenantRunner`."""
        if command.once and command.key in self.left:
            return CommandResult(0.0, status=0)
        self.commands.append(command)
        for line in self.log:
            write_line(line)
        self.action(command)
        result = self.results.get(command.setting, CommandResult(1.0, self.log, status=0))
        if command.once and result.passed:
            self.left.add(command.key)
        return result

    def clear(self, command: TenantCommand) -> None:
        """See `TenantRunner`."""
        self.cleared.append(command.key)
        self.left.discard(command.key)

    def stop(self) -> str:
        """See `TenantRunner`."""
        return "The job of the command was deleted."
