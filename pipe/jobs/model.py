"""The types of commands that run inside the tenant, and what runs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipe.deploy_tests import CommandResult
from pipe.deploy_tests.model import WriteLine
from pipe.model import Snapshot

SHELL = ("sh", "-c")
"""The beginning of a command that is one text for the image's shell."""


@dataclass(frozen=True)
class TenantCommand:
    """A command to run once in a container of its own beside the target of `snapshot`.

    `setting` is the variable that holds the command, for messages and as the log's prefix.
    `command` is either `SHELL` and one text, or a program and its arguments; empty runs the own
    job of a CronJob. The container has the target's environment, in which `environment` is set
    and `removed` is left out, and its mounts and network. `seconds` is the time limit.

    `key` distinguishes the commands of one run for one target, and is part of the job's name:
    lower-case letters only. With `once`, a job that an earlier run of this step left complete
    counts as done, and a complete job stays until `TenantRunner.clear`.
    """

    setting: str
    command: tuple[str, ...] = field(repr=False)
    snapshot: Snapshot
    image: str
    environment: Mapping[str, str] = field(repr=False)
    seconds: float
    key: str
    once: bool = False
    removed: frozenset[str] = frozenset()


class TenantRunner(ABC):
    """Runs commands inside the tenant, one at a time. Nothing is started a second time."""

    @abstractmethod
    def check_ready(self, command: TenantCommand) -> None:
        """Raise `ConfigError` if the command cannot be run beside its target.

        Raises `PlatformError` if the portal has no jobs, or does not let this token use them.
        """

    @abstractmethod
    def run(self, command: TenantCommand, write_line: WriteLine) -> CommandResult:
        """Run it to its end or its time limit; its log is written line by line as it comes.

        An interruption is passed on after `stop`. Raises `PlatformError` if the job cannot
        be created, or cannot be seen when the time is up.
        """

    @abstractmethod
    def clear(self, command: TenantCommand) -> None:
        """Delete what this run or an earlier one of this step left of a command.

        To be called once every target has been changed, for a `once` command: until then its
        complete job is the proof that it need not run again. A job that this run could not follow
        to its end is left to the next one. Failures are logged only.
        """

    @abstractmethod
    def stop(self) -> str:
        """Delete the job that is running, and return a sentence on it; empty if there is none.

        The job of a `once` command stays if it is complete or if that cannot be read: the next run
        of the step decides.
        """
