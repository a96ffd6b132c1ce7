"""Commands as the pipe builds them, a fake runner, and a search for processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipe.deploy_tests import Command, CommandResult


def command(text: str, folder: Path, **given: Any) -> Command:
    """Return a command with the machine's PATH, a limit of 30 s and no mask."""
    defaults: dict[str, Any] = {
        "environment": {"PATH": os.environ["PATH"]},
        "seconds": 30.0,
        "mask": lambda line: line,
    }
    return Command(text=text, folder=folder, **(defaults | given))


class FakeRunner:
    """Records the commands it is given and calls `action` instead of running them."""

    def __init__(self, action: Callable[[], object] = lambda: None, status: int = 0) -> None:
        self.commands: list[Command] = []
        self._action = action
        self._status = status

    def check_ready(self, command: Command) -> None:
        """Accept every command."""

    def run(self, command: Command, write_line: Callable[[str], None]) -> CommandResult:
        """Call the action and return the status."""
        self.commands.append(command)
        self._action()
        return CommandResult(1.0, (), status=self._status)


def alive(marker: str) -> list[str]:
    """Return the command lines of processes with `marker` that do not end within 5 s."""
    until = time.monotonic() + 5.0
    while (lines := _with_marker(marker)) and time.monotonic() < until:
        time.sleep(0.05)
    return lines


def appear(marker: str) -> list[str]:
    """Wait up to 5 s for processes with `marker` and return their command lines."""
    until = time.monotonic() + 5.0
    while not (lines := _with_marker(marker)) and time.monotonic() < until:
        time.sleep(0.01)
    return lines


def _with_marker(marker: str) -> list[str]:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            lines.append(line)
    return lines
