"""Read the same long list again and again."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Generic, TypeVar

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

    An entry begins with the separator before it. `raw` are the bytes of all entries; `lengths` are
    those of each, `objects` the numbers of objects in them. Not changed once it is complete:
    several threads may use a reader.
    """

    def __init__(self) -> None:
        self.raw = b""
        self.lengths, self.objects = array("L"), array("L")
        self.names: list[str] = []
        self.values: list[T | None] = []

    def first(self) -> bytes:
        """Return the bytes of the first entry."""
        return self.raw[: self.lengths[0]]

    def add(self, length: int, objects: int, name: str, value: T | None) -> None:
        """Add an entry."""
        self.lengths.append(length)
        self.objects.append(objects)
        self.names.append(name)
        self.values.append(value)

    def add_from(self, other: _Chunk[T], first: int, end: int) -> None:
        """Add entries of another chunk."""
        self.lengths += other.lengths[first:end]
        self.objects += other.objects[first:end]
        self.names += other.names[first:end]
        self.values += other.values[first:end]


class _Cursor(Generic[T]):
    """The next entry of an earlier reading: `entry` of `chunk`, whose bytes begin at `start`.

    `chunk` is None at the end.
    """

    def __init__(self, chunks: Sequence[_Chunk[T]]) -> None:
        self._chunks = chunks
        self._unknown = 0
        self.chunk: _Chunk[T] | None = None
        self._go_to(0, 0)

    def go_to(self, entry: int, start: int) -> None:
        """Go to another entry of the chunk, the first one of the next chunk after the last."""
        if self.chunk and entry == len(self.chunk.values):
            self._go_to(self._number + 1, 0)
        else:
            self.entry, self.start = entry, start

    def skip(self) -> None:
        """Go to the next entry."""
        if self.chunk:
            self.go_to(self.entry + 1, self.start + self.chunk.lengths[self.entry])

    def following(self) -> bytes:
        """Return the bytes of the entry after this one, none at the end."""
        if self.chunk is None:
            return b""
        lengths, number = self.chunk.lengths, self._number + 1
        if self.entry + 1 < len(lengths):
            start = self.start + lengths[self.entry]
            return self.chunk.raw[start : start + lengths[self.entry + 1]]
        return self._chunks[number].first() if number < len(self._chunks) else b""

    def go_after(self, name: str) -> None:
        """Go to the place after the entry of this name, if there is one.

        It is usually this one, or near, and otherwise new: only after several in a row that are
        neither, the whole list is searched.
        """
        if self.chunk and self.chunk.names[self.entry] == name:
            self._unknown = 0
            self.skip()
            return
        place = self._near(name)
        self._unknown = 0 if place else self._unknown + 1
        if self._unknown > _MOST_UNKNOWN:
            place = self._places.get(name)
        if place:
            self._go_to(*place)
            self.skip()

    def opens_list(self) -> bool:
        """Return whether it is at the first entry of the list."""
        return self.chunk is not None and not self._number and not self.entry

    def _go_to(self, number: int, entry: int) -> None:
        self._number, self.entry = number, entry
        self.chunk = self._chunks[number] if number < len(self._chunks) else None
        self.start = sum(self.chunk.lengths[:entry]) if self.chunk else 0

    def _near(self, name: str) -> tuple[int, int] | None:
        for number, chunk in enumerate(self._chunks[self._number : self._number + 2], self._number):
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
        chunk, is_small = self._cursor.chunk, 0 < len(self._open.values) < _ENTRIES // 2
        if chunk is None or self._cursor.entry or is_small or not self._window.repeats(chunk.raw):
            return False
        self._close()
        self._chunks.append(chunk)
        self._window.drop(len(chunk.raw))
        self._count(len(chunk.values), sum(chunk.objects))
        self._cursor.go_to(len(chunk.values), len(chunk.raw))
        return True

    def _reuse_entries(self) -> bool:
        """Go past the entries of a chunk that both readings have here, if there are any."""
        window, cursor, chunk = self._window, self._cursor, self._cursor.chunk
        if chunk is None:
            return False
        first, start = cursor.entry, cursor.start
        end, stop = first, start
        data, raw, shift = window.data, chunk.raw, window.at - start
        for length in chunk.lengths[first:]:
            if not data.startswith(raw[stop : stop + length], stop + shift):
                break
            end, stop = end + 1, stop + length
        if end == first:
            return False
        self._open.add_from(chunk, first, end)
        window.at += stop - start
        self._count(end - first, sum(chunk.objects[first:end]))
        cursor.go_to(end, stop)
        return True

    def _skip_removed(self) -> bool:
        """Go past an entry of the earlier reading if the one after it comes next here."""
        following = self._cursor.following()
        if not following or not self._window.data.startswith(following, self._window.at):
            return False
        self._cursor.skip()
        return True

    def _read_entry(self, offset: int) -> None:
        """Read the entry whose value begins `offset` bytes ahead."""
        window = self._window
        item, length = window.parse(offset)
        if isinstance(item, dict):
            name, value = self._decode(item)
            objects = window.data.count(b"{", window.at, window.at + length)
            window.at += length
            self._open.add(length, objects, name, value)
            self._count(1, objects)
            self._cursor.go_after(name)
        else:
            # Not remembered: a number may be the beginning of a longer one.
            self._close()
            window.drop(length)
            self._count(1, 0)
        if self._cursor.opens_list():
            # The entry that opens the list comes first or not at all.
            self._cursor.skip()
        if len(self._open.values) >= 2 * _ENTRIES:
            self._close()

    def _close(self) -> None:
        """Complete the open chunk."""
        if self._open.values:
            self._open.raw = self._window.take()
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
    bytes of the reading before are kept for that; those of the new one are read as they arrive.

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
