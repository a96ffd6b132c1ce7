"""Requests and responses, recorded for the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.sandbox.kinds import KINDS

# Calls that only read although they are posted.
_READS_BY_POST = frozenset(
    {
        "findcontainerlogs",
        "findcontainerstate",
        "selfsubjectaccessreviews",
        *(word for kind in KINDS.values() for word in kind.reads_by_post),
    }
)


@dataclass
class RequestRecord:
    """A request and its outcome."""

    at: float
    method: str
    path: str
    status: int | None = None
    """The status sent; None when the connection broke or stayed silent."""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    response_text: str = ""
    """The response as it was sent."""
    fault: str | None = None
    """The kind of the scripted fault that hit it."""
    acted: bool = False
    """Whether the portal did what was requested, whatever the client received."""

    @cached_property
    def response(self) -> Any:
        """The response as data, parsed on first use: some are megabytes."""
        return parsed(self.response_text)

    @property
    def writes(self) -> bool:
        """Whether a request like this one changes state."""
        name = self.path.rstrip("/").rsplit("/", 1)[-1].lower()
        return self.method in ("PUT", "POST", "DELETE") and name not in _READS_BY_POST


def without_token(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the token's value masked."""
    masked = dict(headers)
    for name in masked:
        if name.lower() == "authorization":
            masked[name] = f"{masked[name].split(' ')[0]} ***"
    return masked


def parsed(text: str) -> Any:
    """Return parsed JSON, None for an empty text, and any other text as it is."""
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
