"""A body that is read while it arrives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pipe.http.json_body import check_size

USUAL_SIZE = 1 << 13
"""Bytes that are decoded to parse one value; nearly all are smaller."""
_decode = json.JSONDecoder().raw_decode


class Window:
    """The part of a body that has arrived and is not read yet: what `data` has from `at` on.

    `view` is the same as `data`, of which slices are not copies.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.data, self.at = b"", 0
        self.view = memoryview(self.data)

    @property
    def size(self) -> int:
        """The number of bytes that are there."""
        return len(self.data) - self.at

    def extend(self, size: int) -> bool:
        """Wait until so many bytes are there, or the body ends; return whether any arrived."""
        there = self.size
        if there >= size:
            return False
        arrived = []
        while there < size and (piece := next(self._pieces, b"")):
            arrived.append(piece)
            there += len(piece)
        if not arrived:
            return False
        self.data, self.at = b"".join([self.data[self.at :], *arrived]), 0
        self.view = memoryview(self.data)
        return True

    def repeats(self, raw: bytes) -> bool:
        """Return whether these bytes come next."""
        self.extend(len(raw))
        return self.data.startswith(raw, self.at)

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Return what matches next, not cut where the window ends."""
        while True:
            found = pattern.match(self.data, self.at)
            is_cut = found is None or found.end() == len(self.data)
            if not is_cut or not self.extend(2 * self.size + 1):
                return found

    def parse(self, offset: int) -> tuple[Any, int]:
        """Return the value that begins `offset` bytes ahead, and how far ahead it ends."""
        size = USUAL_SIZE
        while True:
            self.extend(offset + size)
            start = self.at + offset
            # A character that is cut in two lies behind the value, or the value is cut as well.
            text = self.data[start : start + size].decode("utf-8", "ignore")
            if size > USUAL_SIZE:
                check_size(text)
            try:
                value, length = _decode(text)
            except ValueError:
                if self.size < offset + size:
                    raise
                size *= 8
            else:
                return value, offset + (length if text.isascii() else len(text[:length].encode()))
