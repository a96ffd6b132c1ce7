"""Split a test's output into lines, in bounded memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from pipe.deploy_tests.model import WriteLine

_LONGEST_HELD = 64 * 1024
"""Bytes kept of one line, so that secrets are masked before the line is cut."""
_LONGEST_LOGGED = 4000
_LONGEST_KEPT = 1000
_FIRST = 200
_LAST = 300
_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Lines:
    """Writes every line and keeps the first and last ones.

    Terminal control sequences and text overwritten after a carriage return are removed.
    """

    def __init__(self, write_line: WriteLine, mask: Callable[[str], str]) -> None:
        self._write_line = write_line
        self._mask = mask
        self._part = bytearray()
        self._dropped = 0
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_LAST)
        self._count = 0

    def feed(self, data: bytes) -> None:
        """Add the next bytes."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._hold(piece)
            self._end_line()
        self._hold(rest)

    def close(self) -> None:
        """End the last line."""
        if self._part:
            self._end_line()

    def kept(self) -> tuple[str, ...]:
        """Return the kept lines, with a note where lines are missing."""
        missing = self._count - len(self._first) - len(self._last)
        note = [f"[{missing:,} lines omitted; the step's log has them all]"]
        return (*self._first, *(note if missing else []), *self._last)

    def _hold(self, piece: bytes) -> None:
        room = _LONGEST_HELD - len(self._part)
        self._part += piece[:room]
        self._dropped += max(0, len(piece) - room)

    def _end_line(self) -> None:
        text = _plain(self._part.decode("utf-8", "replace"))
        # The dots mark where a secret may have been cut.
        text = self._mask(f"{text}...").removesuffix("...") if self._dropped else self._mask(text)
        dropped = self._dropped
        self._part.clear()
        self._dropped = 0
        self._count += 1
        self._write_line(_shorten(text, _LONGEST_LOGGED, dropped))
        short = _shorten(text, _LONGEST_KEPT, dropped)
        if len(self._first) < _FIRST:
            self._first.append(short)
        else:
            self._last.append(short)


def _plain(text: str) -> str:
    """Return what a terminal shows of the line."""
    text = _ANSI.sub("", text).rstrip("\r\n")
    return text.rsplit("\r", 1)[-1].expandtabs(4).rstrip()


def _shorten(text: str, most: int, dropped: int) -> str:
    if len(text) <= most and not dropped:
        return text
    more = max(0, len(text) - most) + dropped
    return f"{text[:most]} [{more:,} more characters]"
