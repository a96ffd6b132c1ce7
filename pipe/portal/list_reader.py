"""Read the same long list again and again."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import cached_property
from itertools import chain
from typing import Any, Generic, TypeVar
from zlib import crc32

from pipe.http.json_body import TooComplex, loads
from pipe.portal.body_window import USUAL_SIZE, Window
from pipe.portal.fields import UnexpectedShape

T = TypeVar("T")

_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\[[ \t\r\n]*+(?!\])")
_NEXT = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_CLOSE = re.compile(rb"[ \t\r\n]*+\][ \t\r\n]*+")
_ENTRIES = 32
"""Usual number of entries in a chunk."""
_MOST_UNKNOWN = 2
"""Entries of unknown names in a row after which they are probably not just new."""
_MOST_ITEMS = 50_000
_MOST_OBJECTS = 500_000
"""Objects in all items together: what an item is built from takes far more memory than its JSON."""


class _Chunk(Generic[T]):
    """Consecutive entries of a list as they were read.

    An entry begins with the separator before it. Its length in bytes, their checksum and the number
    of objects in them are kept. The bytes themselves are `raw` if they came twice in a row: they
    are compared faster than checksums, but those of what changes all the time would only take up
    memory. Not changed once it is complete: several threads may use a reader.
    """

    def __init__(self) -> None:
        self.raw = b""
        self.lengths, self.checksums, self.objects = array("L"), array("L"), array("L")
        self.names: list[str] = []
        self.values: list[T | None] = []

    def add(self, raw: bytes, name: str, value: T | None) -> None:
        """Add an entry."""
        self.lengths.append(len(raw))
        self.checksums.append(crc32(raw))
        self.objects.append(raw.count(b"{"))
        self.names.append(name)
        self.values.append(value)

    def add_from(self, other: _Chunk[T], first: int, end: int) -> None:
        """Add entries of another chunk."""
        self.lengths += other.lengths[first:end]
        self.checksums += other.checksums[first:end]
        self.objects += other.objects[first:end]
        self.names += other.names[first:end]
        self.values += other.values[first:end]

    def with_raw(self, raw: bytes) -> _Chunk[T]:
        """Return the same entries with their bytes."""
        chunk = copy(self)
        chunk.raw = raw
        return chunk

    def equal_until(self, entry: int, body: memoryview) -> tuple[int, int]:
        """Return the first entry, from `entry` on, that `body` does not begin with.

        Also returns where those before it end.
        """
        lengths, checksums, at, size = self.lengths, self.checksums, 0, len(body)
        count = len(lengths)
        while entry < count:
            end = at + lengths[entry]
            if end > size or crc32(body[at:end]) != checksums[entry]:
                break
            at, entry = end, entry + 1
        return entry, at


class _Cursor(Generic[T]):
    """The next entry of an earlier reading: `entry` of `chunk`, which is None at the end."""

    def __init__(self, chunks: Sequence[_Chunk[T]]) -> None:
        self._chunks = chunks
        self._unknown = 0
        self.go_to(0, 0)

    def go_to(self, number: int, entry: int) -> None:
        """Go to an entry of a chunk; the one after the last is the first of the next chunk."""
        self.number, self.entry = self._place(number, entry)
        self.chunk = self._chunks[self.number] if self.number < len(self._chunks) else None

    def is_after_this(self, body: memoryview) -> bool:
        """Return whether `body` begins with the entry after this one."""
        number, entry = self._place(self.number, self.entry + 1)
        if number >= len(self._chunks):
            return False
        chunk = self._chunks[number]
        return chunk.equal_until(entry, body[: chunk.lengths[entry]])[0] > entry

    def _place(self, number: int, entry: int) -> tuple[int, int]:
        is_over = number < len(self._chunks) and entry >= len(self._chunks[number].values)
        return (number + 1, 0) if is_over else (number, entry)

    def go_after(self, name: str) -> None:
        """Go to the place after the entry of this name, if there is one.

        It is usually this one, or near, and otherwise new: only after several in a row that are
        neither, the whole list is searched.
        """
        if self.chunk and self.chunk.names[self.entry] == name:
            place: tuple[int, int] | None = self.number, self.entry
        else:
            place = self._near(name)
        self._unknown = 0 if place else self._unknown + 1
        if self._unknown > _MOST_UNKNOWN:
            place = self._places.get(name)
        if place:
            self.go_to(place[0], place[1] + 1)

    def _near(self, name: str) -> tuple[int, int] | None:
        for number, chunk in enumerate(self._chunks[self.number : self.number + 2], self.number):
            if name in chunk.names:
                return number, chunk.names.index(name)
        return None

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        return {
            name: (number, entry)
            for number, chunk in enumerate(self._chunks)
            for entry, name in enumerate(chunk.names)
        }


class _Comparison(Generic[T]):
    """A reading of a list beside an earlier one."""

    def __init__(
        self,
        window: Window,
        last: Sequence[_Chunk[T]],
        decode: Callable[[dict[str, Any]], tuple[str, T | None]],
    ) -> None:
        self._window = window
        self._cursor = _Cursor(last)
        self._decode = decode
        self._chunks: list[_Chunk[T]] = []
        self._open: _Chunk[T] = _Chunk()
        self._items = self._objects = 0

    def chunks(self) -> Sequence[_Chunk[T]]:
        """Return the list, with what the earlier reading made of the same entries."""
        window, separator = self._window, _FIRST
        while True:
            if self._reuse_chunk() or self._reuse_entries():
                separator = _NEXT
                continue
            # What is compared or parsed must not be cut by the end of the window.
            if window.extend(USUAL_SIZE) or self._skip_removed():
                continue
            found = window.match(separator)
            if found is None:
                break
            self._read_entry(found.end() - window.at)
            separator = _NEXT
        if not _CLOSE.fullmatch(window.data, window.at):
            raise ValueError("a list without an end, or text after it")
        self._close()
        return self._chunks

    def _reuse_chunk(self) -> bool:
        """Go past a chunk that both readings have here; return whether there is one."""
        chunk = self._cursor.chunk
        if chunk is None or not chunk.raw or self._cursor.entry or self._is_small():
            return False
        if not self._window.repeats(chunk.raw):
            return False
        self._close()
        self._chunks.append(chunk)
        self._go_past(chunk, len(chunk.values), len(chunk.raw))
        return True

    def _reuse_entries(self) -> bool:
        """Go past the entries of a chunk that both readings have here, if there are any."""
        window, chunk, first = self._window, self._cursor.chunk, self._cursor.entry
        if chunk is None:
            return False
        window.extend(sum(chunk.lengths[first:]))
        end, length = chunk.equal_until(first, window.view[window.at :])
        if end == first:
            return False
        if not first and end == len(chunk.values) and not self._is_small():
            self._close()
            self._chunks.append(chunk.with_raw(window.data[window.at : window.at + length]))
        else:
            self._open.add_from(chunk, first, end)
        self._go_past(chunk, end, length)
        return True

    def _go_past(self, chunk: _Chunk[T], end: int, length: int) -> None:
        """Go past the entries of the chunk before `end`, which have so many bytes."""
        first = self._cursor.entry
        self._count(end - first, sum(chunk.objects[first:end]))
        self._window.at += length
        self._cursor.go_to(self._cursor.number, end)

    def _skip_removed(self) -> bool:
        """Go past an entry of the earlier reading if the one after it comes next here."""
        cursor, window = self._cursor, self._window
        if not cursor.is_after_this(window.view[window.at :]):
            return False
        cursor.go_to(cursor.number, cursor.entry + 1)
        return True

    def _read_entry(self, offset: int) -> None:
        """Read the entry whose value begins `offset` bytes ahead."""
        window, cursor = self._window, self._cursor
        item, length = window.parse(offset)
        raw = window.data[window.at : window.at + length]
        window.at += length
        if isinstance(item, dict):
            name, value = self._decode(item)
            self._open.add(raw, name, value)
            self._count(1, self._open.objects[-1])
            cursor.go_after(name)
        else:
            # Not remembered: a number may be the beginning of a longer one.
            self._count(1, 0)
        if (cursor.number, cursor.entry) == (0, 0):
            # The entry that opens the list comes first or not at all.
            cursor.go_to(0, 1)
        if len(self._open.values) >= 2 * _ENTRIES:
            self._close()

    def _is_small(self) -> bool:
        """Return whether the open chunk has too few entries to be complete."""
        return 0 < len(self._open.values) < _ENTRIES // 2

    def _close(self) -> None:
        """Complete the open chunk."""
        if self._open.values:
            self._chunks.append(self._open)
            self._open = _Chunk()

    def _count(self, items: int, objects: int) -> None:
        """Count what was read; raise `TooComplex` at the limit."""
        self._items += items
        self._objects += objects
        if self._items > _MOST_ITEMS or self._objects > _MOST_OBJECTS:
            raise TooComplex(f"at most {_MOST_ITEMS:,} entries with {_MOST_OBJECTS:,} objects")


class ListReader(Generic[T]):
    """Turns a JSON list of objects into values, decoding only what changed since the last time.

    5,000 pods are megabytes of JSON, read every second: the benchmark's largest case spends
    most of its processor time here if every object is decoded each time. An object that is the
    same as in the reading before yields the same value, which must therefore be immutable. The
    list is read while it arrives, and never held as a whole.

    `build` makes a value from an object, None for one to leave out. `name` returns a value's name,
    which finds the place where both lists run in parallel again after an object was added, changed
    or removed.
    """

    def __init__(
        self, build: Callable[[dict[str, Any]], T | None], name: Callable[[T], str]
    ) -> None:
        self._build = build
        self._name = name
        self._last: Sequence[_Chunk[T]] = ()

    def read(self, pieces: Iterable[bytes]) -> tuple[T, ...]:
        """Return the values in the list's order, none for null.

        Raises `ValueError` for invalid JSON, `TooComplex` for a list beyond the limits, and
        `UnexpectedShape` for anything but a list.
        """
        window = Window(pieces)
        if not window.match(_FIRST):
            if loads(window.data) not in (None, []):
                raise UnexpectedShape("a list")
            return ()
        self._last = _Comparison(window, self._last, self._decoded).chunks()
        every = chain.from_iterable([chunk.values for chunk in self._last])
        return tuple([value for value in every if value is not None])

    def _decoded(self, item: dict[str, Any]) -> tuple[str, T | None]:
        """Return the name and the value of an entry."""
        value = self._build(item)
        return ("" if value is None else self._name(value)), value


def values_of(read: Any) -> tuple[Any, ...]:
    """Return what a reader read; raise `UnexpectedShape` for anything else."""
    if not isinstance(read, tuple):
        raise UnexpectedShape("a list")
    return read
