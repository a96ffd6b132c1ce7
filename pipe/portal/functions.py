"""Lambda functions that run container images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipe.errors import Refused
from pipe.http import Reply
from pipe.portal import error_body
from pipe.portal.fields import enum_text, listed, moment, nested, prose, required_object, text
from pipe.portal.scope import Scope

_BUSY = re.compile(r"in progress|conflict", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Function:
    """One function. `version` changes with every update; only `Functions.get` sets `image`.

    AWS's own list shows neither `status`, which is the last update's, nor `state`, nor their
    reasons.
    """

    name: str
    status: str
    reason: str
    state: str
    package: str
    version: str
    image: str = ""
    state_reason: str = ""
    modified: datetime | None = None

    @property
    def updating(self) -> bool:
        """Whether an update is in progress."""
        return self.status == "InProgress" or self.state == "Pending"

    @property
    def settled(self) -> bool:
        """Whether the last update has succeeded, and the function can run."""
        return self.status == "Successful" and not self.updating and not self.failed

    @property
    def failed(self) -> bool:
        """Whether the last update has failed, or AWS could not start the function."""
        return self.status == "Failed" or (self.state == "Failed" and not self.updating)


class Functions:
    """The portal's API for Lambda functions in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[Function, ...]:
        """Return every function in the tenant, without its image."""
        reply = self._scope.calls.read(self._scope.v2("GetLambdaFunctions"))
        return self._scope.calls.decode(reply, "the list of functions", _functions)

    def get(self, name: str) -> Function:
        """Return one function with its image, by its full name."""
        reply = self._scope.calls.read(self._scope.v3("serverless", "lambda", name))
        return self._scope.calls.decode(reply, f"the function {name}", _function_with_image)

    def update(self, name: str, image: str) -> None:
        """Start the update of a function to another image.

        Raises a retryable `Refused` while an earlier update is in progress.
        """
        path = self._scope.v2("UpdateLambdaFunction")
        body = {"FunctionName": name, "ImageUri": image}
        reply = self._scope.calls.send("POST", path, body)
        if _is_busy(reply):
            raise Refused(
                f'An earlier update of {name} is still under way: "{error_body.message(reply)}".',
                "Find out who else updates it, then run the step again.",
                retryable=True,
                # The function may show the end of the earlier update, which is not this one's.
                may_have_applied=False,
            )
        self._scope.calls.check_done(reply, f"the change of {name}")


def _is_busy(reply: Reply) -> bool:
    return reply.status == 409 or (
        reply.status in (400, 500) and bool(_BUSY.search(error_body.message(reply)))
    )


def _functions(body: Any) -> tuple[Function, ...]:
    functions = (_function(item) for item in listed(body))
    return tuple(function for function in functions if function.name)


def _function_with_image(body: Any) -> Function:
    document = required_object(body)
    image = text(nested(document, "Code"), "ImageUri")
    return _function(nested(document, "Configuration"), image)


def _function(item: Mapping[str, Any], image: str = "") -> Function:
    return Function(
        name=text(item, "FunctionName"),
        status=enum_text(item, "LastUpdateStatus"),
        reason=prose(item, "LastUpdateStatusReason"),
        state=enum_text(item, "State"),
        package=enum_text(item, "PackageType"),
        version="|".join(text(item, key) for key in ("LastModified", "CodeSha256")),
        image=image,
        state_reason=prose(item, "StateReason"),
        modified=moment(item, "LastModified"),
    )
