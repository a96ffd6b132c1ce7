"""What all preflight checks share: the settings, the network, and where results go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from pipe.errors import ExitCode, PipeError
from pipe.http import Network
from pipe.preflight.connection import check_connection
from pipe.preflight.result import CheckResult, CheckStatus, failed, passed, unknown
from pipe.secret import Mask
from pipe.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Checker:
    """Hands every result to `report` as soon as it is known."""

    settings: Settings
    network: Network
    mask: Mask
    report: Callable[[CheckResult], None]

    def passed(self, name: str, message: str) -> None:
        """Report a check that passed."""
        self.report(passed(name, message))

    def failed(self, name: str, error: PipeError) -> None:
        """Report a check that failed."""
        self.report(failed(name, error))

    def unknown(self, name: str, reason: str) -> None:
        """Report a check that could not be made."""
        self.report(unknown(name, reason))

    def connection(
        self, name: str, url: str, setting: str, failure: ExitCode | None = ExitCode.PLATFORM
    ) -> bool:
        """Report whether `url`, which comes from the variable `setting`, can be reached.

        `failure` is the code that a deploy ends with if not, None if it goes on without. Returns
        False if further requests would fail as well.
        """
        result = check_connection(name, url, setting, self.network)
        reached = result.status is not CheckStatus.FAILED
        if not reached and failure is None:
            result = replace(result, status=CheckStatus.UNKNOWN, code=ExitCode.DONE)
        elif not reached and failure:
            result = replace(result, code=failure)
        self.report(result)
        return reached

    def attempt(self, name: str, action: Callable[[], T]) -> T | None:
        """Return the result of `action`; if it raises, report the error and return None."""
        try:
            return action()
        except PipeError as error:
            self.failed(name, error)
            return None
