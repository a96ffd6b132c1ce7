"""A test's output, line by line, in memory that does not grow with it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from pipe.deploy_tests.model import WriteLine

_LONGEST_HELD = 64 * 1024
"""Bytes of one line that are looked at at all: enough to find every secret in what is shown."""
_LONGEST_TOLD = 4000
_LONGEST_KEPT = 1000
_FIRST = 200
_LAST = 300
_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Lines:
    """Takes bytes as they come, tells every line, keeps the first and the last ones.

    What programs draw with (colours, a carriage return's overwriting) is taken out.
    """

    def __init__(self, tell: WriteLine, mask: Callable[[str], str]) -> None:
        self._tell = tell
        self._mask = mask
        self._part = bytearray()
        self._dropped = 0
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_LAST)
        self._count = 0

    def feed(self, data: bytes) -> None:
        """Take in the next bytes."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._hold(piece)
            self._end_line()
        self._hold(rest)

    def close(self) -> None:
        """Take what is left for a line; nothing comes after it."""
        if self._part:
            self._end_line()

    def kept(self) -> tuple[str, ...]:
        """The lines to keep, with a plain note where some are missing."""
        missing = self._count - len(self._first) - len(self._last)
        note = [f"[{missing:,} lines are left out here; the step's log has them all]"]
        return (*self._first, *(note if missing else []), *self._last)

    def _hold(self, piece: bytes) -> None:
        room = _LONGEST_HELD - len(self._part)
        self._part += piece[:room]
        self._dropped += max(0, len(piece) - room)

    def _end_line(self) -> None:
        text = self._mask(_plain(self._part.decode("utf-8", "replace")))
        dropped = self._dropped
        self._part.clear()
        self._dropped = 0
        self._count += 1
        self._tell(_shorten(text, _LONGEST_TOLD, dropped))
        short = _shorten(text, _LONGEST_KEPT, dropped)
        if len(self._first) < _FIRST:
            self._first.append(short)
        else:
            self._last.append(short)


def _plain(text: str) -> str:
    """What a terminal would show at the end of the line."""
    text = _ANSI.sub("", text).rstrip("\r\n")
    return text.rsplit("\r", 1)[-1].expandtabs(4).rstrip()


def _shorten(text: str, most: int, dropped: int) -> str:
    if len(text) <= most and not dropped:
        return text
    more = max(0, len(text) - most) + dropped
    return f"{text[:most]} [{more:,} more characters]"
