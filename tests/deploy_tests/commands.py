"""Commands as the pipe would give them to its runner, and a runner that runs none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipe.deploy_tests import Command, CommandResult


def command(text: str, folder: Path, **given: Any) -> Command:
    """A command with the machine's PATH, half a minute, and nothing to hide."""
    defaults: dict[str, Any] = {
        "environment": {"PATH": os.environ["PATH"]},
        "seconds": 30.0,
        "mask": lambda line: line,
    }
    return Command(text=text, folder=folder, **(defaults | given))


class Watcher:
    """A runner that keeps what it was asked to run, and does something else meanwhile."""

    def __init__(self, action: Callable[[], object] = lambda: None, status: int = 0) -> None:
        self.asked: list[Command] = []
        self._action = action
        self._status = status

    def ready(self, command: Command) -> None:
        """Always."""

    def run(self, command: Command, tell: Callable[[str], None]) -> CommandResult:
        """Act, and end with the status."""
        self.asked.append(command)
        self._action()
        return CommandResult(1.0, (), status=self._status)


def alive(marker: str) -> list[str]:
    """Command lines of living processes that hold `marker`, in a moment's time."""
    until = time.monotonic() + 5.0
    while (found := _holding(marker)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def appear(marker: str) -> list[str]:
    """The same for processes that are just coming to life."""
    until = time.monotonic() + 5.0
    while not (found := _holding(marker)) and time.monotonic() < until:
        time.sleep(0.01)
    return found


def _holding(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            found.append(line)
    return found
