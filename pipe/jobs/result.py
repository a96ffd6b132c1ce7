"""The result of a command from how its job ended."""

from __future__ import annotations

import signal

from pipe.deploy_tests import CommandResult
from pipe.jobs.follow import Follower
from pipe.jobs.judge import CannotStart, Ended, Gone, JobState, Running, Starting, Succeeded

_LISTS = ("RELEASE_COMMAND", "COMMAND")
"""The variables that may hold a list, for images without a shell."""
_NO_PROGRAM = (
    "The image must have the program. One without a shell needs {0} as a list with one entry an "
    "argument: {0}_COUNT, {0}_0, ..."
)
_NO_SHELL = "The image must have a shell: name one that has it in {0}_IMAGE."
_NO_START = "Correct what the reason names in the image or in the portal, and run the step again."


def result(state: JobState, follower: Follower, seconds: float) -> CommandResult:
    """Return the result of a command that took so many seconds in all."""
    output = follower.stream.lines.kept()
    match state:
        case Succeeded():
            return CommandResult(seconds, output, status=0)
        case CannotStart(reason):
            error = f"could not be started: the pod of the job {follower.name} {reason}"
            return CommandResult(seconds, output, error=error, remedy=_NO_START)
        case Gone():
            error = f"has no result: the job {follower.name} was deleted meanwhile"
            return CommandResult(seconds, output, error=error)
        case Ended(is_out_of_time=False):
            return _failed(state, follower, seconds)
        case Ended() | Starting() | Running():
            if follower.has_started:
                return CommandResult(seconds, output, timed_out=True)
            why = f": its pod {follower.stuck}" if follower.stuck else ""
            error = f"was not started within {follower.seconds:g} s{why}"
            return CommandResult(seconds, output, error=error, remedy=_NO_START)


def _failed(ended: Ended, follower: Follower, seconds: float) -> CommandResult:
    output = follower.stream.lines.kept()
    if ended.is_out_of_memory:
        return CommandResult(seconds, output, signal=signal.SIGKILL, error="out of memory")
    if ended.not_started:
        error = f"could not be started: {ended.reason}"
        remedy = _NO_PROGRAM if follower.setting in _LISTS else _NO_SHELL
        return CommandResult(seconds, output, error=error, remedy=remedy.format(follower.setting))
    status = follower.stream.status if follower.stream.status is not None else ended.exit_code
    if status:
        return CommandResult(seconds, output, status=status)
    error = f"failed, and the portal shows no exit status ({ended.reason})"
    return CommandResult(seconds, output, error=error)
