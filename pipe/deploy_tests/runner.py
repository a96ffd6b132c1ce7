"""Run commands locally or in the image they name."""

from __future__ import annotations

from pipe.clock import Clock, SystemClock
from pipe.deploy_tests.command import run_locally
from pipe.deploy_tests.container import check_ready, run_in_container
from pipe.deploy_tests.model import Command, CommandResult, WriteLine


class StepRunner:
    """See `Runner`. Uses the system clock, because processes run in real time."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def check_ready(self, command: Command) -> None:
        """See `Runner`."""
        if command.image is not None:
            check_ready(command)

    def run(self, command: Command, write_line: WriteLine) -> CommandResult:
        """See `Runner`."""
        if command.image is None:
            return run_locally(command, write_line, self._clock)
        return run_in_container(command, write_line, self._clock)
