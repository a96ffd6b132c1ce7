"""Everything that can go wrong with one request to any host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FOR_EVER = 10_000
TIMES = (1, 3, FOR_EVER)
EVIL = "evil.example"


@dataclass(frozen=True)
class Fault:
    """A row of the matrix; `words` match the message of a run that fails because of it."""

    name: str
    options: dict[str, Any]
    words: str

    @property
    def harmless(self) -> bool:
        """Whether a run is not affected at all."""
        return self.name in _HARMLESS

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later, so that one or three faults do no harm."""
        return self.name not in _FINAL and not self.harmless

    @property
    def silent(self) -> bool:
        """Whether each fault takes the whole read timeout."""
        return self.name.startswith("silence")

    @property
    def slow(self) -> bool:
        """Whether the genuine response arrives, ten seconds late."""
        return self.name == SLOW


SLOW = "10 s"
_HARMLESS = ("content-type", SLOW)
_FINAL = ("401", "403", "404", "405", "huge", "redirect")
FAULTS = (
    Fault("refused", {"kind": "refused"}, "refused the connection|cannot be reached"),
    Fault("reset-before", {"kind": "reset-before"}, "broke before the response"),
    Fault("reset-after", {"kind": "reset-after"}, "broke before the response"),
    Fault(SLOW, {}, ""),
    Fault("silence", {"kind": "silence"}, "did not respond for"),
    Fault("silence-after", {"kind": "silence-after"}, "did not respond for"),
    Fault("401", {"status": 401, "body": "token expired"}, "refuses the token"),
    Fault("403", {"status": 403, "body": "no"}, "lacks permission|refuses the token|is not open"),
    Fault("404", {"status": 404}, "answered 404"),
    Fault("405", {"status": 405}, "answered 405"),
    Fault("429", {"status": 429}, "answered 429"),
    Fault("429-after", {"status": 429, "headers": {"Retry-After": "2"}}, "answered 429"),
    Fault("500", {"status": 500}, "answered 500"),
    Fault("502", {"status": 502, "body": "<h1>Bad Gateway</h1>"}, "answered 502"),
    Fault("503", {"status": 503}, "answered 503"),
    Fault("rate", {"kind": "rate-exceeded"}, "Rate exceeded"),
    Fault("truncated", {"kind": "truncated"}, "unexpected response"),
    Fault("html", {"kind": "html"}, "unexpected response"),
    Fault("huge", {"kind": "huge"}, "more than 32 MB"),
    Fault("content-type", {"kind": "content-type"}, ""),
    Fault("redirect", {"kind": "redirect", "location": f"https://{EVIL}/"}, f"redirects to {EVIL}"),
)


def counted(times: int) -> str:
    """Return the count as text."""
    return "forever" if times == FOR_EVER else f"{times}x"
