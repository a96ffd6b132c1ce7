"""What was asked and answered, kept for the tests to look at."""

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
        *(word for kind in KINDS.values() for word in kind.reads_by_post),
    }
)


@dataclass
class RequestRecord:
    """One request and what became of it."""

    at: float
    method: str
    path: str
    status: int | None = None
    """The status sent; None when the connection broke or stayed silent."""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    response_text: str = ""
    """The answer as it was sent."""
    fault: str | None = None
    """The kind of the scripted fault that hit it."""
    acted: bool = False
    """Whether the portal did what was asked, whatever the client got to hear."""

    @cached_property
    def response(self) -> Any:
        """The answer as data; megabytes are only parsed for whoever wants to know."""
        return parsed(self.response_text)

    @property
    def writes(self) -> bool:
        """Whether a request of this kind changes state."""
        name = self.path.rstrip("/").rsplit("/", 1)[-1].lower()
        return self.method in ("PUT", "POST", "DELETE") and name not in _READS_BY_POST


def without_token(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, with the token's value left out."""
    shown = dict(headers)
    for name in shown:
        if name.lower() == "authorization":
            shown[name] = f"{shown[name].split(' ')[0]} ***"
    return shown


def parsed(text: str) -> Any:
    """JSON where it is JSON, None where there is nothing, else the text."""
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
