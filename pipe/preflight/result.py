"""One thing that was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipe.errors import ExitCode, PipeError


class CheckStatus(StrEnum):
    """What a look concluded; open is what could not be seen, and does not stop a deploy."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


@dataclass(frozen=True)
class CheckResult:
    """What was found about a topic. `code` is what a deploy would end with because of it."""

    topic: str
    verdict: CheckStatus
    message: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    code: ExitCode = ExitCode.DONE

    def as_dict(self) -> Mapping[str, Any]:
        """The fact as plain data."""
        return {
            "topic": self.topic,
            "verdict": str(self.verdict),
            "message": self.message,
            "remedy": self.remedy,
            "details": list(self.details),
        }


def good(topic: str, told: str) -> CheckResult:
    """Nothing to do."""
    return CheckResult(topic, CheckStatus.GOOD, told)


def unknown(topic: str, why: str, remedy: str = "") -> CheckResult:
    """Nothing proven, and nothing that stops a deploy."""
    return CheckResult(topic, CheckStatus.OPEN, why, remedy)


def bad(topic: str, error: PipeError) -> CheckResult:
    """What a deploy would end with."""
    return CheckResult(
        topic, CheckStatus.BAD, error.diagnosis, error.remedy, error.details, ExitCode(error.code)
    )
