"""The types of deploy tests: commands, their results, and runners."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipe.image import Image

log = logging.getLogger(__name__)

WriteLine = Callable[[str], None]
"""Receives one line of a test's output, without the line break."""


@dataclass(frozen=True)
class Command:
    """A shell command and everything it needs; `image` is None to run it locally.

    `seconds` is the time limit; `mask` hides secrets before output is logged or kept; `setting`
    is the variable that names `image`, for messages; `login` holds `username` and `password` for
    the registry of `image`, if it needs them. `name` is the variable that holds `text`.
    """

    text: str
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    seconds: float
    mask: Callable[[str], str]
    image: Image | None = None
    setting: str = ""
    login: Mapping[str, str] | None = field(default=None, repr=False)
    name: str = ""


@dataclass(frozen=True)
class CommandResult:
    """How a command ended: with a `status`, by a `signal`, at its time limit, or not started.

    `error` is the reason why it could not be started or was killed, if known; `output` holds the
    kept lines, with a note where lines were omitted; `remedy` is what to do where the command could
    not be started.
    """

    seconds: float
    output: tuple[str, ...] = ()
    status: int | None = None
    signal: int = 0
    timed_out: bool = False
    error: str = ""
    remedy: str = ""

    @property
    def passed(self) -> bool:
        """Return whether the command succeeded."""
        return self.status == 0 and not self.timed_out and not self.error


@dataclass(frozen=True)
class DeployTestResult:
    """The result of one test; `message` completes a sentence that begins with its name.

    `subject` is the command or address; `kind` is `command`, `container`, `job` (inside the tenant)
    or `probe`; `remedy` is what to do about a test that could not be started.
    """

    name: str
    kind: str
    subject: str
    passed: bool
    seconds: float
    message: str
    output: tuple[str, ...] = ()
    remedy: str = ""


class Runner(Protocol):
    """Runs commands."""

    def check_ready(self, command: Command) -> None:
        """Raise `ConfigError` if the command cannot be started."""

    def run(self, command: Command, write_line: WriteLine) -> CommandResult:
        """Run it to its end or its time limit; output is written line by line as it comes."""


def concluded(
    name: str, kind: str, subject: str, result: CommandResult, limit: float
) -> DeployTestResult:
    """Return the result of a command with a time limit as that of a test, once it is logged."""
    message = describe(result, limit)
    log.log(logging.INFO if result.passed else logging.ERROR, "%s %s.", name, message)
    return DeployTestResult(
        name, kind, subject, result.passed, result.seconds, message, result.output, result.remedy
    )


def describe(result: CommandResult, limit: float) -> str:
    """Return how a command ended; completes a sentence that begins with its name."""
    if result.timed_out:
        return result.error or f"did not finish within {limit:g} s and was stopped"
    if result.signal:
        reason = f" ({result.error})" if result.error else ""
        return f"was killed by signal {result.signal} ({_signal_name(result.signal)}){reason}"
    if result.error:
        return result.error
    if result.status:
        return f"failed with exit status {result.status}{_hint(result.status)}"
    return f"passed in {result.seconds:.1f} s"


def _hint(status: int) -> str:
    if status == 126:
        return " (command not executable)"
    if status == 127:
        return " (command not found)"
    if 128 < status < 128 + signal.NSIG:
        return f" (killed by signal {status - 128}, {_signal_name(status - 128)})"
    return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
