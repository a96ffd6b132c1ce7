"""The result of one preflight check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipe.errors import ExitCode, PipeError


class CheckStatus(StrEnum):
    """How a check ended; unknown means that it could not be made, which stops no deploy."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CheckResult:
    """One check. `code` is the exit code that a deploy would end with because of it."""

    name: str
    status: CheckStatus
    message: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    code: ExitCode = ExitCode.DONE


def passed(name: str, message: str) -> CheckResult:
    """Return the result of a check that passed."""
    return CheckResult(name, CheckStatus.PASSED, message)


def unknown(name: str, reason: str) -> CheckResult:
    """Return the result of a check that could not be made."""
    return CheckResult(name, CheckStatus.UNKNOWN, reason)


def failed(name: str, error: PipeError) -> CheckResult:
    """Return the result of a check whose error a deploy would end with."""
    return CheckResult(
        name, CheckStatus.FAILED, error.diagnosis, error.remedy, error.details, ExitCode(error.code)
    )
