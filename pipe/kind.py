"""The kinds of targets, each with what the pipe can do for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


@dataclass(frozen=True)
class Capability:
    """True when a kind supports something; otherwise `reason` completes "no: ..."."""

    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason


_YES = Capability()


def _no(reason: str) -> Capability:
    return Capability(reason)


@dataclass(frozen=True)
class Capabilities:
    """Everything in which kinds differ for users; `noun` names a target within a sentence.

    `can_restart`: `RESTART` replaces what runs although the image is unchanged.
    `keeps_history`: the portal remembers earlier images, so a rollback finds the previous one.
    `has_pods`: pods (for ECS: tasks) are counted while a rollout is followed.
    `sets_environment`: `ENV` changes variables in the same write as the image.
    `sets_replicas`: `REPLICAS` changes the number of pods in the same write.
    `runs_jobs`: a command can be run once in the tenant, with the target's own environment.
    """

    noun: str
    can_restart: Capability
    keeps_history: Capability
    has_pods: Capability
    sets_environment: Capability
    sets_replicas: Capability
    runs_jobs: Capability

    @property
    def title(self) -> str:
        """The noun where it stands alone."""
        return f"{self.noun[0].upper()}{self.noun[1:]}"


class Kind(StrEnum):
    """The kind of a target, as `KIND` and `SERVICES` spell it."""

    capabilities: Capabilities

    SERVICE = (
        "service",
        Capabilities(
            noun="service",
            can_restart=_YES,
            keeps_history=_YES,
            has_pods=_YES,
            sets_environment=_YES,
            sets_replicas=_YES,
            runs_jobs=_YES,
        ),
    )
    ECS = (
        "ecs",
        Capabilities(
            noun="ECS service",
            can_restart=_YES,
            keeps_history=_no("the portal keeps no image history of ECS services"),
            has_pods=_YES,
            sets_environment=_YES,
            sets_replicas=_YES,
            runs_jobs=_YES,
        ),
    )
    LAMBDA = (
        "lambda",
        Capabilities(
            noun="Lambda function",
            can_restart=_YES,
            keeps_history=_no("the portal keeps no image history of functions"),
            has_pods=_no("a function has no pods"),
            sets_environment=_no(
                "AWS changes a function's image and its environment by separate requests"
            ),
            sets_replicas=_no("AWS scales a function by itself"),
            runs_jobs=_no("AWS starts a function only by its own handler, not with a command"),
        ),
    )
    CRONJOB = (
        "cronjob",
        Capabilities(
            noun="CronJob",
            can_restart=_no("a CronJob has no pods to restart"),
            keeps_history=_no("the portal keeps no image history of CronJobs"),
            has_pods=_no("the next scheduled run starts the new image"),
            sets_environment=_YES,
            sets_replicas=_no("a CronJob has no replicas"),
            runs_jobs=_YES,
        ),
    )

    def __new__(cls, name: str, capabilities: Capabilities) -> Self:
        """Create a member from its name and its capabilities."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.capabilities = capabilities
        return member
