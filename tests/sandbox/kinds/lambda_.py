"""Lambda functions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.current import current_tenant, current_world, sent_object
from tests.sandbox.kinds.base import Resources, SandboxKind
from tests.sandbox.replies import answer, refusal, unknown
from tests.sandbox.routes import V2, V3
from tests.sandbox.stamp import guid, stamp
from tests.sandbox.task_definition import ACCOUNT

if TYPE_CHECKING:
    from tests.sandbox.world import Tenant, World


UNLISTED = ("State", "StateReason", "LastUpdateStatus", "LastUpdateStatusReason")
"""What AWS leaves out of the list of functions."""


class BusyError(Exception):
    """AWS refuses an update while another one is in progress."""


@dataclass
class Function:
    """A Lambda function."""

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
    """Seconds for which the list still shows the state before an update."""
    lists_status: bool = True
    """Whether the list shows status and state; AWS's own does not."""
    state: str = "Active"
    state_reason: str | None = None

    def __post_init__(self) -> None:
        self.modified = stamp(self.world.now())
        self._listed_before = self.body()
        self._listed_from = 0.0

    @property
    def image(self) -> str:
        """The image at this moment."""
        self.world.advance()
        return self.uri

    def update(self, image: str) -> None:
        """Change the image; raises `BusyError` while an update is in progress."""
        if self.status == "InProgress":
            raise BusyError(
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {self.arn}"
            )
        self._listed_before, self._listed_from = self.body(), self.world.at + self.listed_late
        previous, self.uri = self.uri, image
        self.status, self.reason = "InProgress", "The function is being updated."
        self.updates += 1
        self.modified = stamp(self.world.now())
        behaviour = self.world.behaviours.get(image, Behaviour())
        seconds = behaviour.seconds
        wait = self.world.rollout_seconds if seconds is None else seconds
        self.world.agenda.later(wait, lambda: self._end(behaviour, previous))

    def _end(self, behaviour: Behaviour, previous: str) -> None:
        if behaviour.fate == "run":
            self.complete()
        else:
            # A failed update leaves the function on its previous image.
            self.status, self.uri = "Failed", previous
            self.reason = behaviour.fault or "The image cannot be pulled: AccessDenied"

    def complete(self) -> None:
        """End an update well."""
        self.status, self.reason = "Successful", None
        self.state, self.state_reason = "Active", None

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:lambda:{self.tenant.region}:{ACCOUNT}:function:{self.name}"

    def listed(self) -> dict[str, Any]:
        """Return the function as the list shows it, which may lag behind."""
        shown = self.body() if self.world.at >= self._listed_from else self._listed_before
        if self.lists_status:
            return shown
        # A client of AWS has fields for them all the same.
        return {**shown, **dict.fromkeys(UNLISTED)}

    def body(self) -> dict[str, Any]:
        """Return the configuration, which does not include the image."""
        return {
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "PackageType": {"Value": self.package},
            "State": {"Value": self.state},
            "StateReason": self.state_reason,
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


class Functions(Resources[Function]):
    """All functions of a world."""

    def add(
        self, name: str, image: str, tenant: str = "dev01", *, package: str = "Image"
    ) -> Function:
        """Add a function; `name` is the short one."""
        owner = self.world.tenant(tenant)
        full = f"duploservices-{owner.name}-{name}-{ACCOUNT}"
        function = Function(self.world, owner, full, image, package)
        self.items.append(function)
        return function


routes = Blueprint("lambda", __name__)


@routes.get(f"{V2}/GetLambdaFunctions")
def functions(tid: str) -> Response:
    listed = [one.listed() for one in _state().of_tenant(current_tenant())]
    return answer(listed or None)


@routes.get(f"{V3}/serverless/lambda/<name>")
def function(tid: str, name: str) -> Response:
    target = _state().find(current_tenant(), name)
    if target is None:
        return unknown(f"Function {name}", 404)
    code = {"ImageUri": target.image, "RepositoryType": "ECR"}
    return answer({"Code": code, "Configuration": target.body(), "Tags": {}})


@routes.post(f"{V2}/UpdateLambdaFunction")
def update(tid: str) -> Response:
    body = sent_object()
    target = _state().find(current_tenant(), str(body.get("FunctionName")))
    if target is None:
        return unknown(f"Function {body.get('FunctionName')}")
    try:
        target.update(str(body["ImageUri"]))
    except KeyError:
        return refusal(400, "ImageUri is required")
    except BusyError as busy:
        return refusal(400, str(busy))
    return answer(target.body())


def _state() -> Functions:
    return current_world().resources_of(Functions)


KIND = SandboxKind(
    attribute="functions",
    resources=Functions,
    routes=routes,
    unmodelled=(
        ("GET", r"/v3/subscriptions/[^/]+/serverless/lambda/[^/]+"),
        ("POST", r"/subscriptions/[^/]+/UpdateLambdaFunction"),
    ),
)
