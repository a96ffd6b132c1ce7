"""Read the same long list again and again."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar
from zlib import crc32

from pipe.http.json_body import TooComplex, check_size, loads
from pipe.portal.fields import UnexpectedShape

T = TypeVar("T")

_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\[[ \t\r\n]*+(?!\])")
_NEXT = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_CLOSE = re.compile(rb"[ \t\r\n]*+\][ \t\r\n]*+")
_WINDOW = 1 << 13
"""Bytes that are decoded to parse one value; nearly all are smaller."""
_MOST_ITEMS = 50_000
_MOST_OBJECTS = 500_000
"""Objects in all items together: what an item is built from takes far more memory than its JSON."""
_decode = json.JSONDecoder().raw_decode


class _Reading(Generic[T]):
    """The entries of a list as they were read; an entry begins with the separator before it.

    In arrays, because thousands of entries are compared at every reading: `lengths` in bytes,
    `checksums`, and `objects`, the number of objects in each. Not changed once it is complete:
    several threads may use a reader.
    """

    def __init__(self) -> None:
        self.lengths, self.checksums, self.objects = array("L"), array("L"), array("L")
        self.names: list[str] = []
        self.values: list[T | None] = []
        self._items = self._objects = 0

    def add(self, raw: bytes, name: str, value: T | None) -> None:
        """Add an entry."""
        objects = raw.count(b"{")
        self.lengths.append(len(raw))
        self.checksums.append(crc32(raw))
        self.objects.append(objects)
        self.names.append(name)
        self.values.append(value)
        self.count(1, objects)

    def add_from(self, other: _Reading[T], first: int, end: int) -> None:
        """Add entries of another reading."""
        self.lengths += other.lengths[first:end]
        self.checksums += other.checksums[first:end]
        self.objects += other.objects[first:end]
        self.names += other.names[first:end]
        self.values += other.values[first:end]
        self.count(end - first, sum(other.objects[first:end]))

    def count(self, items: int, objects: int) -> None:
        """Count what was read, whether or not it was added; raise `TooComplex` at the limit."""
        self._items += items
        self._objects += objects
        if self._items > _MOST_ITEMS or self._objects > _MOST_OBJECTS:
            raise TooComplex(f"at most {_MOST_ITEMS:,} entries with {_MOST_OBJECTS:,} objects")

    def skip_equal(self, place: int, body: memoryview, at: int) -> tuple[int, int]:
        """Go past the entries that `body` repeats at `at`; return the places in both."""
        lengths, checksums = self.lengths, self.checksums
        count = len(lengths)
        while place < count:
            end = at + lengths[place]
            if crc32(body[at:end]) != checksums[place]:
                break
            at, place = end, place + 1
        return place, at

    def is_at(self, place: int, body: memoryview, at: int) -> bool:
        """Return whether `body` repeats an entry at `at`."""
        return (
            place < len(self.lengths)
            and crc32(body[at : at + self.lengths[place]]) == self.checksums[place]
        )

    def after(self, name: str, expected: int) -> int:
        """Return the place after the entry of this name, `expected` if there is none."""
        if expected < len(self.names) and self.names[expected] == name:
            return expected + 1
        return self._places.get(name, expected - 1) + 1

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}


class ListReader(Generic[T]):
    """Turns a JSON list of objects into values, decoding only what changed since the last time.

    5,000 pods are megabytes of JSON, read every second: the benchmark's largest case spends
    most of its processor time here if every object is decoded each time. An object that is the
    same as in the reading before yields the same value, which must therefore be immutable. That it
    is the same is shown by its checksum and its length: a second copy of the list would take as
    much memory as all that is built from it.

    `build` makes a value from an object, None for one to leave out. `name` returns a value's name,
    which finds the place where both lists run in parallel again after an object was added, changed
    or removed.
    """

    def __init__(
        self, build: Callable[[dict[str, Any]], T | None], name: Callable[[T], str]
    ) -> None:
        self._build = build
        self._name = name
        self._last: _Reading[T] = _Reading()

    def read(self, body: bytes) -> tuple[T, ...]:
        """Return the values in the list's order, none for null.

        Raises `ValueError` for invalid JSON, `TooComplex` for a list beyond the limits, and
        `UnexpectedShape` for anything but a list.
        """
        if not _FIRST.match(body):
            if loads(body) not in (None, []):
                raise UnexpectedShape("a list")
            return ()
        reading = self._reading(body, self._last)
        self._last = reading
        return tuple([value for value in reading.values if value is not None])

    def _reading(self, body: bytes, last: _Reading[T]) -> _Reading[T]:
        """Return a reading of a list, with what an earlier reading made of the same entries."""
        reading, view, place, at = _Reading[T](), memoryview(body), 0, 0
        while True:
            first = place
            place, at = last.skip_equal(place, view, at)
            if place > first:
                reading.add_from(last, first, place)
            if last.is_at(place + 1, view, at):
                # The one in between was removed.
                place += 1
                continue
            separator = (_NEXT if at else _FIRST).match(body, at)
            if separator is None:
                break
            item, end = _parse(body, separator.end())
            if isinstance(item, dict):
                value = self._build(item)
                name = "" if value is None else self._name(value)
                reading.add(body[at:end], name, value)
                place = last.after(name, place)
            else:
                # Not remembered: a number may be the beginning of a longer one.
                reading.count(1, 0)
            # The entry that opens the list comes first or not at all.
            at, place = end, max(place, 1)
        if not _CLOSE.fullmatch(body, at):
            raise ValueError("a list without an end, or text after it")
        return reading


def values_of(read: Any) -> tuple[Any, ...]:
    """Return what a reader read; raise `UnexpectedShape` for anything else."""
    if not isinstance(read, tuple):
        raise UnexpectedShape("a list")
    return read


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
            return value, start + (length if text.isascii() else len(text[:length].encode()))
