"""Scripted faults of the API, and changes by others in the middle of a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from tests.sandbox.world import World

FaultKind = Literal[
    "refused",
    "reset-before",
    "reset-after",
    "silence",
    "silence-after",
    "status",
    "rate-exceeded",
    "truncated",
    "html",
    "huge",
    "content-type",
    "redirect",
]
KINDS: tuple[str, ...] = get_args(FaultKind)
BREAKS = frozenset({"refused", "reset-before", "reset-after", "silence", "silence-after"})
# With these the portal has done what was requested; only the response is spoilt.
ACTING = frozenset(
    {"reset-after", "silence-after", "truncated", "html", "huge", "content-type", "redirect"}
)


@dataclass
class ApiFault:
    """A fault of the requests that match, `times` times after `skip` good ones."""

    method: str = ".*"
    path: str = ""
    kind: FaultKind = "status"
    times: int = 1
    skip: int = 0
    status: int = 500
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/plain"
    size: int = 50 * 1024 * 1024
    location: str = "https://elsewhere.invalid/"
    acts: bool | None = None
    """Whether the portal acts all the same; None means that the kind decides."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}; one of: {', '.join(KINDS)}")
        if self.acts is None:
            self.acts = self.kind in ACTING

    def takes(self, method: str, path: str) -> bool:
        """Return whether the fault hits this request; counts requests that match."""
        if self.times <= 0 or not matches(self.method, self.path, method, path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class Intrusion:
    """An action by others, right before or after the nth request that matches."""

    method: str
    path: str
    nth: int
    action: Callable[[World], object]
    moment: Literal["before", "after"] = "after"

    def due(self, method: str, path: str) -> bool:
        """Return whether this is the nth request; counts requests that match."""
        if self.nth <= 0 or not matches(self.method, self.path, method, path):
            return False
        self.nth -= 1
        return self.nth == 0


def matches(method_pattern: str, path_pattern: str, method: str, path: str) -> bool:
    """Return whether a request matches; the case of the path does not matter."""
    return bool(
        re.fullmatch(method_pattern, method, re.IGNORECASE)
        and re.search(path_pattern, path, re.IGNORECASE)
    )
