"""The five verdicts on a rollout."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """The rollout is in progress: `detail` names what is missing, `stuck` why it may stay so.

    `until` is the moment (monotonic seconds) at which the rollout becomes ready if nothing
    changes, so that the next look is not later than needed. With `is_calm`, nothing has gone wrong
    so far, and what goes wrong before then still shows later: a few looks are enough.
    """

    detail: str
    stuck: str = ""
    until: float | None = None
    is_calm: bool = False


@dataclass(frozen=True)
class Ready:
    """The new version is running."""

    detail: str


@dataclass(frozen=True)
class Failed:
    """The new version cannot start; `pod` is the pod to look at, if a single one is to blame."""

    reason: str
    pod: str = ""


@dataclass(frozen=True)
class Superseded:
    """Another deployment changed the target, which is now set to `image`.

    With `replaced`, the other deployment came right before our change, which overwrote it.
    """

    image: str
    replaced: bool = False


@dataclass(frozen=True)
class TimedOut:
    """The time limit of `seconds` passed; `detail` names what was still missing."""

    detail: str
    seconds: float

    @classmethod
    def while_waiting(cls, waiting: Waiting, seconds: float) -> TimedOut:
        """Return the verdict at the time limit on a rollout that is still in progress."""
        return cls(words(waiting), seconds)


Verdict = Waiting | Ready | Failed | Superseded | TimedOut


def words(verdict: Verdict) -> str:
    """Return a verdict as the rest of a sentence about its target."""
    match verdict:
        case Waiting(detail, stuck):
            return f"{detail}; {stuck}" if stuck else detail
        case Ready(detail):
            return f"ready, {detail}"
        case Failed(reason):
            return f"failed: {reason}"
        case Superseded(image, replaced=True):
            return (
                f"another deployment set it to {image} just before this run's change, "
                "which replaced it"
            )
        case Superseded(image):
            return f"another deployment changed it; it is now set to {image}"
        case TimedOut(detail, seconds):
            return f"did not finish within {seconds:.0f} s: {detail}"
