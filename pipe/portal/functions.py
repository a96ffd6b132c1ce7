"""Lambda functions that run container images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipe.errors import Refused
from pipe.http import Reply
from pipe.portal import error_body
from pipe.portal.calls import Scope
from pipe.portal.ecs import wrapped
from pipe.portal.fields import Shapeless, listed, nested, text

_BUSY = re.compile(r"in progress|conflict", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `version` differs after every update; `image` is known from `details` only."""

    name: str
    status: str
    reason: str
    state: str
    package: str
    version: str
    image: str = ""

    @property
    def updating(self) -> bool:
        """Whether an update is under way."""
        return self.status == "InProgress" or self.state == "Pending"


class LambdaPortal:
    """The portal's calls for functions inside one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def functions(self) -> tuple[Function, ...]:
        """Every function of the tenant, without its image."""
        reply = self._scope.calls.read(self._scope.v2("GetLambdaFunctions"))
        return self._scope.calls.decode(reply, "the list of functions", _functions)

    def details(self, name: str) -> Function:
        """One function with its image; `name` is the full one."""
        reply = self._scope.calls.read(self._scope.v3("serverless", "lambda", name))
        return self._scope.calls.decode(reply, f"the function {name}", _details)

    def update(self, name: str, image: str) -> None:
        """Give a function another image; its success is not yet the update's.

        Raises a `Refused` that passes while an earlier update is under way.
        """
        path = self._scope.v2("UpdateLambdaFunction")
        body = {"FunctionName": name, "ImageUri": image}
        reply = self._scope.calls.http.once("POST", path, body)
        if _is_busy(reply):
            raise Refused(
                f'An earlier update of {name} is still under way: "{error_body.message(reply)}".',
                "See who else updates it, and run the step again.",
                retryable=True,
            )
        self._scope.calls.check_done(reply, f"the change of {name}")


def _is_busy(reply: Reply) -> bool:
    return reply.status == 409 or (
        reply.status in (400, 500) and bool(_BUSY.search(error_body.message(reply)))
    )


def _functions(body: Any) -> tuple[Function, ...]:
    found = (_function(item) for item in listed(body))
    return tuple(function for function in found if function.name)


def _details(body: Any) -> Function:
    if not isinstance(body, dict):
        raise Shapeless("a function")
    return _function(nested(body, "Configuration"), text(nested(body, "Code"), "ImageUri"))


def _function(item: Mapping[str, Any], image: str = "") -> Function:
    return Function(
        name=text(item, "FunctionName"),
        status=wrapped(item, "LastUpdateStatus"),
        reason=text(item, "LastUpdateStatusReason"),
        state=wrapped(item, "State"),
        package=wrapped(item, "PackageType"),
        version="|".join(text(item, key) for key in ("LastModified", "CodeSha256")),
        image=image,
    )
