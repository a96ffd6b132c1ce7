"""The words of tests: what is run, how it ended, what that proves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipe.image import Image

WriteLine = Callable[[str], None]
"""Takes one line of a test's output, without its end."""


@dataclass(frozen=True)
class Command:
    """A shell command and everything it needs. `image` is None for one that runs right here.

    `seconds` is how long it may take; `mask` hides secrets before anything is shown or kept;
    `setting` is the variable that asks for `image`, for messages that say what to correct;
    `login` holds `username` and `password` for the registry of `image`, if it needs any.
    """

    text: str
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    seconds: float
    mask: Callable[[str], str]
    image: Image | None = None
    setting: str = ""
    login: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CommandResult:
    """How a command ended: with a `status`, by a `signal`, at its limit, or never begun.

    `trouble` says why it could not be begun, or what made it end when that is known; `output`
    is what is kept of its lines, with a note where some were left out.
    """

    seconds: float
    output: tuple[str, ...] = ()
    status: int | None = None
    signal: int = 0
    timed_out: bool = False
    trouble: str = ""

    @property
    def passed(self) -> bool:
        """Whether the test is one that passed."""
        return self.status == 0 and not self.timed_out and not self.trouble


@dataclass(frozen=True)
class DeployTestResult:
    """One test for the report. `told` is the rest of a sentence that begins with its name.

    `subject` is what was run or asked; `kind` is `command`, `container` or `probe`.
    """

    name: str
    kind: str
    subject: str
    passed: bool
    seconds: float
    message: str
    output: tuple[str, ...] = ()


class Runner(Protocol):
    """Runs commands."""

    def ready(self, command: Command) -> None:
        """Prove that the command can be begun; raises `ConfigError` when it cannot."""

    def run(self, command: Command, tell: WriteLine) -> CommandResult:
        """Run it to its end or its limit, every line told as it comes."""


def describe(ending: CommandResult, limit: float) -> str:
    """How a command ended, as the rest of a sentence about it."""
    if ending.timed_out:
        return f"did not end within {limit:g} s and was stopped"
    if ending.signal:
        because = f" ({ending.trouble})" if ending.trouble else ""
        return f"was ended by signal {ending.signal} ({_signal_name(ending.signal)}){because}"
    if ending.trouble:
        return ending.trouble
    if ending.status:
        return f"failed with exit status {ending.status}{_hint(ending.status)}"
    return f"passed in {ending.seconds:.1f} s"


def _hint(status: int) -> str:
    if status == 126:
        return " (found, but it may not be executed)"
    if status == 127:
        return " (a command was not found)"
    if 128 < status < 128 + signal.NSIG:
        return f" (as after signal {status - 128}, {_signal_name(status - 128)})"
    return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
