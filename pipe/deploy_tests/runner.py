"""Runs a command where it belongs: right here, or in its image."""

from __future__ import annotations

from pipe.clock import Clock, SystemClock
from pipe.deploy_tests.command import run_here
from pipe.deploy_tests.container import prove_ready, run_inside
from pipe.deploy_tests.model import Command, CommandResult, WriteLine


class StepRunner:
    """See `Runner`. Has a clock of its own: processes run on the machine's time."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def ready(self, command: Command) -> None:
        """See `Runner`."""
        if command.image is not None:
            prove_ready(command)

    def run(self, command: Command, tell: WriteLine) -> CommandResult:
        """See `Runner`."""
        if command.image is None:
            return run_here(command, tell, self._clock)
        return run_inside(command, tell, self._clock)
