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
    """

    noun: str
    can_restart: Capability
    keeps_history: Capability
    has_pods: Capability

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
        ),
    )
    ECS = (
        "ecs",
        Capabilities(
            noun="ECS service",
            can_restart=_YES,
            keeps_history=_no("the portal keeps no image history of ECS services"),
            has_pods=_YES,
        ),
    )
    LAMBDA = (
        "lambda",
        Capabilities(
            noun="Lambda function",
            can_restart=_YES,
            keeps_history=_no("the portal keeps no image history of functions"),
            has_pods=_no("a function has no pods"),
        ),
    )
    CRONJOB = (
        "cronjob",
        Capabilities(
            noun="CronJob",
            can_restart=_no("a CronJob has no pods to restart"),
            keeps_history=_no("the portal keeps no image history of CronJobs"),
            has_pods=_no("the next scheduled run starts the new image"),
        ),
    )

    def __new__(cls, name: str, capabilities: Capabilities) -> Self:
        """Create a member from its name and its capabilities."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.capabilities = capabilities
        return member
