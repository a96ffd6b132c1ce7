"""The five things a look at a rollout can conclude."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """Not there yet: `detail` says what is waited for, `stuck` why it may not come.

    `until` is the moment (monotonic seconds) at which the verdict turns good if nothing else
    happens, so that nobody looks later than needed.
    """

    detail: str
    stuck: str = ""
    until: float | None = None


@dataclass(frozen=True)
class Ready:
    """The new version serves."""

    detail: str


@dataclass(frozen=True)
class Failed:
    """It will not come up: `reason` says why, `pod` is the one to look at, if it is one's fault."""

    reason: str
    pod: str = ""


@dataclass(frozen=True)
class Superseded:
    """Somebody else changed the target; it is to run `image` now.

    `replaced` when theirs came right before our change, which went over it unseen.
    """

    image: str
    replaced: bool = False


@dataclass(frozen=True)
class TimedOut:
    """The time is up: `detail` is what was still waited for."""

    detail: str


Verdict = Waiting | Ready | Failed | Superseded | TimedOut


def words(verdict: Verdict) -> str:
    """A verdict as the rest of a sentence about its target."""
    if isinstance(verdict, Waiting):
        return f"{verdict.detail}; {verdict.stuck}" if verdict.stuck else verdict.detail
    if isinstance(verdict, Ready):
        return f"ready, {verdict.detail}"
    if isinstance(verdict, Failed):
        return f"will not come up: {verdict.reason}"
    if isinstance(verdict, Superseded) and verdict.replaced:
        return (
            f"somebody else gave it {verdict.image} at the very moment of this run's change, "
            "which replaced it"
        )
    if isinstance(verdict, Superseded):
        return f"somebody else changed it; it is to run {verdict.image} now"
    if isinstance(verdict, TimedOut):
        return f"not done when the time was up: {verdict.detail}"
    raise AssertionError(verdict)
