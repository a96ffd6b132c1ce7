"""Every way a run can end badly, each with its exit code, its diagnosis and its remedy.

PipeError
|- ConfigError         2   variables missing, malformed or contradictory, all of them at once
|- IdentityError       3   the portal refuses the token, or AWS refuses the role
|- PlatformError       4
|  |- Unreachable          no usable answer: DNS, connection, certificate, silence
|  |- Refused              a refusal, or an unexpected response
|  `- NotFound             a tenant or a target that does not exist
|- ImageRefused        5   the image is absent, above the severity limit, or not provable
|- PreDeployTestFailed 6   the test before the change failed
|- CommandFailed       6   a release command, or the command of ACTION: run, failed
|- Conflict            7   another deployment changes a target
|- DeployFailed            the rollout failed after the change
|  `- code 8, 9 or 10      rolled back / rollback failed / left as it is
|- ChecksFailed            ACTION: check found a problem; the code a deploy would end with
`- Cancelled          11   SIGTERM or Ctrl-C

The code answers the first question after a failed step: what runs now?
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

_SENTENCE_END = re.compile(r"(?<=\.)\s+")
DEFECT = "This is a defect of the pipe."
ISSUES = "https://bitbucket.org/nholuongut/bitbucket-deploy-pipe/issues"


class ExitCode(IntEnum):
    """The exit code of the step."""

    DONE = 0
    DEFECT = 1
    CONFIGURATION = 2
    IDENTITY = 3
    PLATFORM = 4
    IMAGE = 5
    PRE_TEST = 6
    CONFLICT = 7
    RESTORED = 8
    NOT_RESTORED = 9
    FAILED = 10
    CANCELLED = 11

    @property
    def outcome(self) -> str:
        """The name that reports use."""
        return self.name.lower().replace("_", "-")


class PipeError(Exception):
    """A run that cannot go on, with everything a tired person needs to know.

    `diagnosis` states what happened and what was expected, `remedy` what to do about it, and
    `details` are lines to show after the remedy, such as a text to copy. `retryable` means that
    the same request may succeed later, `may_have_applied` that the portal may have done what was
    requested although no good reply came.
    """

    code = ExitCode.DEFECT
    retryable = False
    may_have_applied = False

    def __init__(self, diagnosis: str, remedy: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(diagnosis)
        self.diagnosis = diagnosis
        self.remedy = remedy
        self.details = tuple(details)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the variables, and the line that fixes it."""

    variable: str
    what: str
    fix: str = ""


class ConfigError(PipeError):
    """The variables cannot be used; holds every problem, because each run costs minutes."""

    code = ExitCode.CONFIGURATION

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"The variables have {count}.")


class IdentityError(PipeError):
    """The portal or AWS does not accept the identity of this run."""

    code = ExitCode.IDENTITY

    @classmethod
    def token_refused(cls, host: str, variable: str, reason: str, life: str = "") -> IdentityError:
        """Build the error for a 401, or a 403 for the tenants; `variable` gave the token.

        `life` is the sentence on when the token ends, if that is known.
        """
        because = f" {life}" if life else ""
        where = "in the AWS secret" if variable.endswith("SECRET") else "as the secured variable"
        return cls(
            f"The portal {host} refuses the token from {variable}{_quoted(reason)}{because}",
            "Create a token for a service account in the portal (permanent tokens expire after "
            f"one year) and store it {where} {variable}.",
        )


class PlatformError(PipeError):
    """The portal cannot be used for what is needed."""

    code = ExitCode.PLATFORM


class Unreachable(PlatformError):
    """No usable reply came; `may_have_applied` is False if the request certainly never arrived."""

    def __init__(
        self,
        diagnosis: str,
        remedy: str = "",
        *,
        may_have_applied: bool = True,
        retryable: bool = True,
    ) -> None:
        super().__init__(diagnosis, remedy)
        self.may_have_applied = may_have_applied
        self.retryable = retryable


class Refused(PlatformError):
    """A refusal, or a response that is not what the API promises."""

    def __init__(
        self,
        diagnosis: str,
        remedy: str = "",
        *,
        retryable: bool = False,
        may_have_applied: bool | None = None,
    ) -> None:
        super().__init__(diagnosis, remedy)
        self.retryable = retryable
        # A gateway that gave up may have had the portal act behind it; a clear no is a no.
        self.may_have_applied = retryable if may_have_applied is None else may_have_applied


class NotFound(PlatformError):
    """A name that does not exist in the portal."""

    @classmethod
    def named(cls, what: str, variable: str, name: str, known: Iterable[str]) -> NotFound:
        """Build the error for a `what` called `name` in `variable`; `known` are the others."""
        names = sorted(set(known))
        return cls(
            f'There is no {what} called "{name}".{_near(name, names)}',
            f"Correct {variable}. {_choice(what, names)}",
        )


class PreDeployTestFailed(PipeError):
    """The test before the change failed."""

    code = ExitCode.PRE_TEST

    @classmethod
    def because(cls, name: str, reason: str, remedy: str = "") -> PreDeployTestFailed:
        """Build the error for the test called `name`; `reason` states how it ended.

        `remedy` is what to do about a test that could not be started.
        """
        return cls(
            f"{name} {reason}; the deploy stops here.",
            f"The test did not run. {remedy}"
            if remedy
            else "The test's output is above. Fix what it found, or the test itself.",
        )


class CommandFailed(PipeError):
    """A command inside the tenant failed before any target was changed."""

    code = ExitCode.PRE_TEST


class ImageRefused(PipeError):
    """The image must not be deployed: absent, above the severity limit, or not provable."""

    code = ExitCode.IMAGE


Named = TypeVar("Named", NotFound, ImageRefused)


def combined(errors: Sequence[Named]) -> Named:
    """Return one error for all wrong names or images, because each run costs minutes."""
    first, *others = errors
    if not others:
        return first
    remedies = dict.fromkeys(
        sentence for error in errors for sentence in _SENTENCE_END.split(error.remedy) if sentence
    )
    return type(first)(" ".join(error.diagnosis for error in errors), " ".join(remedies))


class Conflict(PipeError):
    """Another deployment changes a target; its version stays."""

    code = ExitCode.CONFLICT


class DeployFailed(PipeError):
    """The change was made and failed; `code` shows what was done about it."""

    def __init__(self, code: ExitCode, diagnosis: str, remedy: str = "") -> None:
        super().__init__(diagnosis, remedy)
        self.code = code


class ChecksFailed(PipeError):
    """A preflight check failed; `code` is what a deploy would end with."""

    def __init__(self, code: ExitCode, diagnosis: str) -> None:
        super().__init__(diagnosis)
        self.code = code


class Cancelled(PipeError):
    """The run was stopped by a signal."""

    code = ExitCode.CANCELLED


def _quoted(reason: str) -> str:
    return f': "{reason}".' if reason else "."


_MOST_COMPARED = 5000
"""Names that are compared with a misspelled one, which takes up to a millisecond each."""


def _near(name: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - see pipe.loading

    by_fold = {known.casefold(): known for known in names[:_MOST_COMPARED] if len(known) < 256}
    near = [by_fold[fold] for fold in get_close_matches(name.casefold(), by_fold, 3, 0.6)]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _choice(what: str, names: Sequence[str]) -> str:
    if not names:
        return f"This token sees no {what}."
    shown = ", ".join(names[:12])
    rest = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"Existing names ({what}): {shown}{rest}."
