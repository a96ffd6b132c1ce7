"""Every way a run can end badly, each with its exit code, its diagnosis and its remedy.

PipeError
|- ConfigError         2   variables missing, malformed or contradictory, all of them at once
|- IdentityError       3   the portal refuses the token, or AWS refuses the role
|- PlatformError       4
|  |- Unreachable          no usable answer: DNS, connection, certificate, silence
|  |- Refused              an answer that says no, or that makes no sense
|  `- NotFound             a tenant or a target that is not there
|- ImageRefused        5   the image is absent, unsound, or cannot be proven as asked
|- PreDeployTestFailed       6   the test before the change failed
|- Conflict            7   somebody else changes a target
|- DeployFailed            the rollout failed after the change
|  `- code 8, 9 or 10      restored / the way back failed / left as it is
|- ChecksFailed            ACTION: check found something wrong; the code a deploy would end with
`- Cancelled          11   SIGTERM or Ctrl-C

The code answers the first question after a red step: what runs now?
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import TypeVar


class ExitCode(IntEnum):
    """What the step ends with."""

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
    """A run that cannot go on, told so that a tired person knows what to do.

    `diagnosis` says what happened and what was expected, `remedy` what to do about it;
    `details` are lines to show after the remedy, a text to copy for instance. `retryable` says
    whether the same request may succeed later, `may_have_applied` whether the portal may have done what
    was asked all the same.
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
    """One thing wrong with the variables, and the line that mends it."""

    variable: str
    what: str
    fix: str = ""


class ConfigError(PipeError):
    """The variables cannot be used; holds every problem, because one at a time costs a run each."""

    code = ExitCode.CONFIGURATION

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"The variables hold {count}; nothing was changed.")


class IdentityError(PipeError):
    """The portal, or AWS, does not accept who we are."""

    code = ExitCode.IDENTITY

    @classmethod
    def token_refused(cls, host: str, said: str) -> IdentityError:
        """The portal answers 401, or 403 to the question which tenants the token may use."""
        return cls(
            f"The portal {host} refuses the token in DUPLO_TOKEN{_said(said)}",
            "Create a token for a service account in the portal (permanent tokens end after one "
            "year) and store it as the secured variable DUPLO_TOKEN.",
        )


class PlatformError(PipeError):
    """The portal cannot be used for what is needed."""

    code = ExitCode.PLATFORM


class Unreachable(PlatformError):
    """No usable answer came; `may_have_applied` is False when the request certainly never arrived."""

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
    """An answer that says no, or that is not what the portal's API promises."""

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
    """A name the portal does not know."""

    @classmethod
    def named(cls, what: str, variable: str, name: str, known: Iterable[str]) -> NotFound:
        """`what` called `name`, given in `variable`, is not among the `known` names."""
        names = sorted(set(known))
        return cls(
            f'There is no {what} called "{name}".{_near(name, names)}',
            f"Correct {variable}. {_choice(what, names)}",
        )


class PreDeployTestFailed(PipeError):
    """The test before the change failed."""

    code = ExitCode.PRE_TEST

    @classmethod
    def because(cls, name: str, how: str) -> PreDeployTestFailed:
        """The test called `name` ended as `how` says."""
        return cls(
            f"{name} {how}; the deploy stops here.",
            "The test's output is above. Mend what it found, or the test itself.",
        )


class ImageRefused(PipeError):
    """The image must not be deployed: it is not there, not sound enough, or not provably so."""

    code = ExitCode.IMAGE


Named = TypeVar("Named", NotFound, ImageRefused)


def combined(errors: Sequence[Named]) -> Named:
    """One error for all that is wrong with names or images: one at a time would cost a run each."""
    first, *others = errors
    if not others:
        return first
    remedies = dict.fromkeys(error.remedy for error in errors if error.remedy)
    return type(first)(" ".join(error.diagnosis for error in errors), " ".join(remedies))


class Conflict(PipeError):
    """Somebody else changes a target; theirs stays."""

    code = ExitCode.CONFLICT


class DeployFailed(PipeError):
    """The change was made and did not work out; `code` says what was done about it."""

    def __init__(self, code: ExitCode, diagnosis: str, remedy: str = "") -> None:
        super().__init__(diagnosis, remedy)
        self.code = code


class ChecksFailed(PipeError):
    """Something is wrong that a deploy would stumble over; `code` is what it would end with."""

    def __init__(self, code: ExitCode, diagnosis: str) -> None:
        super().__init__(diagnosis)
        self.code = code


class Cancelled(PipeError):
    """Somebody stopped the run."""

    code = ExitCode.CANCELLED


def _said(text: str) -> str:
    return f': it says "{text}".' if text else "."


def _near(name: str, names: Sequence[str]) -> str:
    by_fold = {known.casefold(): known for known in names}
    near = [by_fold[fold] for fold in get_close_matches(name.casefold(), by_fold, 3, 0.6)]
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _choice(what: str, names: Sequence[str]) -> str:
    if not names:
        return f"This token sees no {what} at all."
    shown = ", ".join(names[:12])
    rest = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"Known as {what}: {shown}{rest}."
