"""Read the same long list again and again."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar
from zlib import crc32

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
_NEAR = 8
"""Removed entries that are skipped without a search for the one that follows them."""
_decode = json.JSONDecoder().raw_decode


@dataclass
class _Reading(Generic[T]):
    """One reading of a list, whose first item begins at `start`.

    `lengths` are the bytes from the beginning of each entry to that of the next one, or to the end
    of the list, `checksums` are theirs, `objects` counts the objects in each. `others` counts the
    items that are no objects.
    Not changed once it is complete: several threads may use a reader.
    """

    lengths: array[int] = field(default_factory=lambda: array("L"))
    checksums: array[int] = field(default_factory=lambda: array("L"))
    objects: array[int] = field(default_factory=lambda: array("L"))
    names: list[str] = field(default_factory=list)
    values: list[T | None] = field(default_factory=list)
    others: int = 0
    _objects: int = 0

    @cached_property
    def places(self) -> dict[str, int]:
        """The index of each entry by its name."""
        return {name: place for place, name in enumerate(self.names)}

    def add(self, raw: bytes, objects: int, name: str, value: T | None) -> None:
        """Add an entry."""
        self.lengths.append(len(raw))
        self.checksums.append(crc32(raw))
        self.objects.append(objects)
        self.names.append(name)
        self.values.append(value)
        self._objects += objects
        self._check_limits()

    def add_from(self, other: _Reading[T], first: int, end: int) -> None:
        """Add entries of another reading."""
        self.lengths.extend(other.lengths[first:end])
        self.checksums.extend(other.checksums[first:end])
        self.objects.extend(other.objects[first:end])
        self.names.extend(other.names[first:end])
        self.values.extend(other.values[first:end])
        self._objects += sum(other.objects[first:end])
        self._check_limits()

    def skip(self) -> None:
        """Leave out an item that is no object."""
        self.others += 1
        self._check_limits()

    def _check_limits(self) -> None:
        if len(self.values) + self.others > _MOST_ITEMS or self._objects > _MOST_OBJECTS:
            raise TooComplex(f"at most {_MOST_ITEMS:,} entries with {_MOST_OBJECTS:,} objects")


class _Place(Generic[T]):
    """A place in an earlier reading: the entry that is expected next."""

    def __init__(self, reading: _Reading[T]) -> None:
        self.reading = reading
        self.index = 0

    def is_at_end(self) -> bool:
        """Return whether no entry is left."""
        return self.index == len(self.reading.lengths)

    def skip_equal(self, body: memoryview, at: int) -> int:
        """Go past the entries that `body` repeats at `at`; return where they end in it."""
        index, lengths, checksums = self.index, self.reading.lengths, self.reading.checksums
        count = len(lengths)
        while index < count:
            end = at + lengths[index]
            if crc32(body[at:end]) != checksums[index]:
                break
            at, index = end, index + 1
        self.index = index
        return at

    def skip_removed(self, body: memoryview, at: int) -> bool:
        """Go to the entry that `body` repeats at `at`, if only few were removed before it."""
        lengths, checksums = self.reading.lengths, self.reading.checksums
        for index in range(self.index, min(self.index + _NEAR, len(lengths))):
            if crc32(body[at : at + lengths[index]]) == checksums[index]:
                self.index = index
                return True
        return False

    def go_past(self, name: str) -> None:
        """Go to the entry after the one of this name; stay if there is none."""
        names, index = self.reading.names, self.index
        if index >= len(names) or names[index] != name:
            index = self.reading.places.get(name, -1)
        if index >= 0:
            self.index = index + 1


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
        opening = _OPEN.match(body)
        if opening is None:
            if loads(body) is not None:
                raise UnexpectedShape("a list")
            return ()
        reading = _Reading[T]()
        end = self._fill(reading, body, opening.end())
        if not _CLOSE.fullmatch(body, end):
            raise ValueError("text after the end of the list")
        values = tuple([value for value in reading.values if value is not None])
        self._last = _Reading() if reading.others else reading
        return values

    def _fill(self, reading: _Reading[T], body: bytes, at: int) -> int:
        """Read the list whose first item begins at `at`, and return the index of its end."""
        place, view = _Place(self._last), memoryview(body)
        while not body.startswith(b"]", at):
            first = place.index
            if (equal_to := place.skip_equal(view, at)) > at:
                reading.add_from(place.reading, first, place.index)
                at = equal_to
                if place.is_at_end():
                    # What was the last entry may have a successor now.
                    at = _after_separator(body, equal_to)
                    begin = equal_to - reading.lengths[-1]
                    reading.lengths[-1], reading.checksums[-1] = at - begin, crc32(view[begin:at])
                elif body.startswith(b"]", at):
                    raise ValueError("a comma before the end of the list")
            elif not place.skip_removed(view, at):
                at = self._decode(reading, place, body, at)
        return at

    def _decode(self, reading: _Reading[T], place: _Place[T], body: bytes, at: int) -> int:
        """Read the item that begins at `at`, and return where the next one does."""
        item, end = _parse(body, at)
        after = _after_separator(body, end)
        if isinstance(item, dict):
            value = self._build(item)
            name = "" if value is None else self._name(value)
            reading.add(body[at:after], body.count(b"{", at, end), name, value)
            place.go_past(name)
        else:
            reading.skip()
        return after


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


def _after_separator(body: bytes, at: int) -> int:
    """Return the index of the next value, or of the list's end."""
    if body.startswith(b",{", at):
        return at + 1
    separator = _NEXT.match(body, at)
    if separator is None:
        raise ValueError("a list without an end")
    return separator.end()
