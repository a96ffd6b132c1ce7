"""Read the same long list again and again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from pipe.http.json_body import TooComplex, check_size, loads
from pipe.portal.fields import UnexpectedShape

T = TypeVar("T")

_OPEN = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\[[ \t\r\n]*+")
_NEXT = re.compile(rb"[ \t\r\n]*+(?:,[ \t\r\n]*+(?!\])|(?=\]))")
_CLOSE = re.compile(rb"\][ \t\r\n]*+")
_WINDOW = 1 << 13
"""Bytes that are decoded to parse one value; nearly all are smaller."""
_MOST_ITEMS = 50_000
_MOST_OBJECTS = 500_000
"""Objects in all items together: what an item is built from takes far more memory than its JSON."""
_decode = json.JSONDecoder().raw_decode


class _Entry(NamedTuple, Generic[T]):
    """An object of the list: its JSON, what was built from it, and how many objects it holds."""

    raw: bytes
    value: T
    objects: int


@dataclass(frozen=True)
class _Look(Generic[T]):
    """One reading of the list. Immutable, because several threads may use a reader."""

    entries: list[_Entry[T]]
    name: Callable[[T], str]

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each entry by its name."""
        return {self.name(entry.value): place for place, entry in enumerate(self.entries)}


class ListReader(Generic[T]):
    """Turns a JSON list of objects into values, decoding only what changed since the last time.

    5,000 pods are megabytes of JSON, read every second: the benchmark's largest case spends
    most of its processor time here if every object is decoded each time. An object whose JSON
    is unchanged may therefore yield the value from the last time, which must be immutable.

    `build` makes a value from an object, `name` returns a value's name, which finds the place
    where both lists run in parallel again after an object was added, changed or removed.
    """

    def __init__(self, build: Callable[[dict[str, Any]], T], name: Callable[[T], str]) -> None:
        self._build = build
        self._last: _Look[T] = _Look([], name)

    def read(self, body: bytes) -> tuple[T, ...]:
        """Return the values in the list's order, none for null.

        Raises `ValueError` for invalid JSON, `TooComplex` for a list beyond the limits, and
        `UnexpectedShape` for anything but a list.
        """
        opening = _OPEN.match(body)
        if opening is None:
            if loads(body) is not None:
                raise UnexpectedShape("a list")
            return ()
        entries, end = self._entries(body, opening.end())
        if not _CLOSE.fullmatch(body, end):
            raise ValueError("text after the end of the list")
        self._last = _Look(entries, self._last.name)
        return tuple(entry.value for entry in entries)

    def _entries(self, body: bytes, start: int) -> tuple[list[_Entry[T]], int]:
        """Return the entries of the list that begins at `start`, and the index of its end."""
        last, expected, at = self._last, 0, start
        entries: list[_Entry[T]] = []
        items = objects = 0
        while not body.startswith(b"]", at):
            known = last.entries[expected] if expected < len(last.entries) else None
            if known and body.startswith(known.raw, at):
                entries.append(known)
                end, expected = at + len(known.raw), expected + 1
                objects += known.objects
            else:
                item, end = _parse(body, at)
                if isinstance(item, dict):
                    raw = body[at:end]
                    entry = _Entry(raw, self._build(item), raw.count(b"{"))
                    entries.append(entry)
                    expected = last.places.get(last.name(entry.value), expected - 1) + 1
                    objects += entry.objects
            items += 1
            if items > _MOST_ITEMS or objects > _MOST_OBJECTS:
                raise TooComplex(f"at most {_MOST_ITEMS:,} entries with {_MOST_OBJECTS:,} objects")
            at = end + 1 if body.startswith(b",{", end) else _after_separator(body, end)
        return entries, at


def _parse(body: bytes, start: int) -> tuple[Any, int]:
    """Return the value that begins at `start`, and the index of its end."""
    size = _WINDOW
    while True:
        # A character that is cut in two lies behind the value, or the value is cut as well.
        text = body[start : start + size].decode("utf-8", "ignore")
        if size > _WINDOW:
            check_size(text)
        try:
            value, length = _decode(text)
        except ValueError:
            if start + size >= len(body):
                raise
            size *= 8
        else:
            return value, start + len(text[:length].encode())


def _after_separator(body: bytes, at: int) -> int:
    """Return the index of the next value, or of the list's end."""
    separator = _NEXT.match(body, at)
    if separator is None:
        raise ValueError("a list without an end")
    return separator.end()
