"""Lambda functions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.stamp import guid, stamp
from tests.sandbox.task_definition import ACCOUNT

if TYPE_CHECKING:
    from tests.sandbox.world import Tenant, World


class BusyError(Exception):
    """An update is under way, and AWS takes no second one."""


@dataclass
class Function:
    """One function."""

    world: World
    tenant: Tenant
    name: str
    uri: str
    package: str = "Image"
    status: str = "Successful"
    reason: str | None = None
    updates: int = 0
    modified: str = ""
    listed_late: float = 0.0
    """For how long the list still shows the state from before an update."""

    def __post_init__(self) -> None:
        self.modified = stamp(self.world.now())
        self._shown_before = self.body()
        self._fresh_at = 0.0

    @property
    def image(self) -> str:
        """The image it has at this moment."""
        self.world.advance()
        return self.uri

    def update(self, image: str) -> None:
        """Take another image; raises `BusyError` while an update is under way."""
        if self.status == "InProgress":
            raise BusyError(
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {self.arn}"
            )
        self._shown_before, self._fresh_at = self.body(), self.world.at + self.listed_late
        before, self.uri = self.uri, image
        self.status, self.reason = "InProgress", "The function is being updated."
        self.updates += 1
        self.modified = stamp(self.world.now())
        behaviour = self.world.behaviours.get(image, Behaviour())
        seconds = behaviour.seconds
        wait = self.world.rollout_seconds if seconds is None else seconds
        self.world.agenda.later(wait, lambda: self._end(behaviour, before))

    def _end(self, behaviour: Behaviour, before: str) -> None:
        if behaviour.fate == "run":
            self.status, self.reason = "Successful", None
        else:
            # A failed update leaves the function on the image from before.
            self.status, self.uri = "Failed", before
            self.reason = behaviour.fault or "The image cannot be pulled: AccessDenied"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:lambda:{self.tenant.region}:{ACCOUNT}:function:{self.name}"

    def listed(self) -> dict[str, Any]:
        """The function as the list shows it, which may lag behind."""
        return self.body() if self.world.at >= self._fresh_at else self._shown_before

    def body(self) -> dict[str, Any]:
        """The configuration, which does not tell the image."""
        return {
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "PackageType": {"Value": self.package},
            "State": {"Value": "Active"},
            "LastUpdateStatus": {"Value": self.status},
            "LastUpdateStatusReason": self.reason,
            "CodeSha256": hashlib.sha256(self.uri.encode()).hexdigest(),
            "RevisionId": guid(f"{self.name}/{self.updates}/{self.status}"),
            "LastModified": self.modified,
            "Version": "$LATEST",
            "MemorySize": 128,
            "Timeout": 30,
            "Role": f"arn:aws:iam::{ACCOUNT}:role/{self.tenant.name}",
        }


class FunctionShelf:
    """Every function in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.functions: list[Function] = []

    def add(
        self, name: str, image: str, tenant: str = "dev01", *, package: str = "Image"
    ) -> Function:
        """A function; `name` is the short one."""
        owner = self.world.tenant(tenant)
        full = f"duploservices-{owner.name}-{name}-{ACCOUNT}"
        function = Function(self.world, owner, full, image, package)
        self.functions.append(function)
        return function

    def of_tenant(self, tenant: Tenant) -> list[Function]:
        """The tenant's functions."""
        return [one for one in self.functions if one.tenant is tenant]

    def find(self, tenant: Tenant, name: str) -> Function | None:
        """The function of that full name."""
        return next((one for one in self.of_tenant(tenant) if one.name == name), None)
