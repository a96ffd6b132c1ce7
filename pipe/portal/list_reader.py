"""Read the same long list again and again."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Generic, TypeVar

from pipe.http.json_body import TooComplex, check_size, loads
from pipe.portal.fields import UnexpectedShape

T = TypeVar("T")

_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+\[[ \t\r\n]*+(?!\])")
_NEXT = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_CLOSE = re.compile(rb"[ \t\r\n]*+\][ \t\r\n]*+")
_WINDOW = 1 << 13
"""Bytes that are decoded to parse one value; nearly all are smaller."""
_ENTRIES = 32
"""Usual number of entries in a chunk."""
_MOST_UNKNOWN = 2
"""Entries of unknown names in a row after which they are probably not just new."""
_MOST_ITEMS = 50_000
_MOST_OBJECTS = 500_000
"""Objects in all items together: what an item is built from takes far more memory than its JSON."""
_decode = json.JSONDecoder().raw_decode


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


class _Window:
    """The part of a body that has arrived and is not read yet: what `data` has from `at` on."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.data, self.at = b"", 0
        self._taken: list[bytes] = []
        self._mark = 0

    def take(self) -> bytes:
        """Return what was read since this was called last."""
        taken = b"".join([*self._taken, self.data[self._mark : self.at]])
        self._taken, self._mark = [], self.at
        return taken

    def skip(self, length: int) -> None:
        """Read bytes that `take` is not to return, right after it was called."""
        self.at += length
        self._mark = self.at

    @property
    def size(self) -> int:
        """The number of bytes that are there."""
        return len(self.data) - self.at

    def extend(self, size: int) -> bool:
        """Wait until so many bytes are there, or the body ends; return whether any arrived."""
        there = len(self.data) - self.at
        if there >= size:
            return False
        arrived = []
        while there < size and (piece := next(self._pieces, b"")):
            arrived.append(piece)
            there += len(piece)
        if not arrived:
            return False
        if self._mark < self.at:
            self._taken.append(self.data[self._mark : self.at])
        self.data = b"".join([self.data[self.at :], *arrived])
        self.at = self._mark = 0
        return True

    def repeats(self, chunk: _Chunk[Any]) -> bool:
        """Return whether all of a chunk comes next."""
        self.extend(len(chunk.raw))
        return self.data.startswith(chunk.raw, self.at)

    def repeats_until(self, chunk: _Chunk[Any], entry: int, start: int) -> tuple[int, int]:
        """Return the first entry of a chunk, from `entry` on, that does not come next.

        The bytes of `entry` begin at `start`; also returns where those of the other one do.
        """
        raw, data, shift = chunk.raw, self.data, self.at - start
        for length in chunk.lengths[entry:]:
            end = start + length
            if not data.startswith(raw[start:end], start + shift):
                break
            start, entry = end, entry + 1
        return entry, start

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Return what matches next, not cut where the window ends."""
        while True:
            found = pattern.match(self.data, self.at)
            is_cut = found is None or found.end() == len(self.data)
            if not is_cut or not self.extend(2 * self.size + 1):
                return found

    def parse(self, offset: int) -> tuple[Any, int]:
        """Return the value that begins `offset` bytes ahead, and how far ahead it ends."""
        size = _WINDOW
        while True:
            self.extend(offset + size)
            start = self.at + offset
            # A character that is cut in two lies behind the value, or the value is cut as well.
            text = self.data[start : start + size].decode("utf-8", "ignore")
            if size > _WINDOW:
                check_size(text)
            try:
                value, length = _decode(text)
            except ValueError:
                if self.size < offset + size:
                    raise
                size *= 8
            else:
                return value, offset + (length if text.isascii() else len(text[:length].encode()))


class _Comparison(Generic[T]):
    """A reading of a list beside an earlier one.

    What comes next in the earlier one is the entry `_entry` of `_chunk`; its bytes begin at
    `_start` of those of the chunk.
    """

    def __init__(
        self,
        window: _Window,
        last: Sequence[_Chunk[T]],
        decode: Callable[[dict[str, Any]], tuple[str, T | None]],
    ) -> None:
        self._window = window
        self._last = last
        self._decode = decode
        self._chunk = self._entry = self._start = 0
        self._chunks: list[_Chunk[T]] = []
        self._open: _Chunk[T] = _Chunk()
        self._unknown = 0
        self._items = self._objects = 0

    def chunks(self) -> Sequence[_Chunk[T]]:
        """Return the list, with what the earlier reading made of the same entries."""
        window, separator = self._window, _FIRST
        while True:
            if self._reuse():
                separator = _NEXT
                continue
            # What is compared or parsed must not be cut by the end of the window.
            if window.extend(_WINDOW) or self._skip_removed():
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

    def _reuse(self) -> bool:
        """Go past the entries that both readings have here; return whether there are any."""
        if self._chunk >= len(self._last):
            return False
        chunk, window, first = self._last[self._chunk], self._window, self._entry
        unfinished = len(self._open.values)
        if not first and not 0 < unfinished < _ENTRIES // 2 and window.repeats(chunk):
            self._close()
            self._chunks.append(chunk)
            end, stop = len(chunk.values), len(chunk.raw)
            window.skip(stop)
        else:
            end, stop = window.repeats_until(chunk, first, self._start)
            if end == first:
                return False
            self._open.add_from(chunk, first, end)
            window.at += stop - self._start
        self._count(end - first, sum(chunk.objects[first:end]))
        self._entry, self._start = end, stop
        self._go_on()
        return True

    def _skip_removed(self) -> bool:
        """Go past an entry of the earlier reading if the one after it comes next here."""
        if self._chunk >= len(self._last):
            return False
        before = self._chunk, self._entry, self._start
        self._start += self._last[self._chunk].lengths[self._entry]
        self._entry += 1
        self._go_on()
        if self._chunk < len(self._last):
            chunk, entry = self._last[self._chunk], self._entry
            end = self._start + chunk.lengths[entry]
            if self._window.data.startswith(chunk.raw[self._start : end], self._window.at):
                return True
        self._chunk, self._entry, self._start = before
        return False

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
            self._go_after(name)
        else:
            # Not remembered: a number may be the beginning of a longer one.
            self._close()
            window.skip(length)
            self._count(1, 0)
        if self._last and not self._chunk and not self._entry:
            # The entry that opens the list comes first or not at all.
            self._go_to(0, 1)
        if len(self._open.values) >= 2 * _ENTRIES:
            self._close()

    def _go_after(self, name: str) -> None:
        """Go to the place after the entry of this name, if there is one.

        It is usually the next one, or near, and otherwise new: only after several in a row that
        are neither, the whole list is searched.
        """
        near = range(self._chunk, min(self._chunk + 2, len(self._last)))
        if near and self._last[self._chunk].names[self._entry] == name:
            place: tuple[int, int] | None = (self._chunk, self._entry)
        else:
            places = ((one, self._last[one].names) for one in near)
            place = next(((one, names.index(name)) for one, names in places if name in names), None)
        self._unknown = 0 if place else self._unknown + 1
        if self._unknown > _MOST_UNKNOWN:
            place = self._places.get(name)
        if place:
            self._go_to(place[0], place[1] + 1)

    def _go_to(self, chunk: int, entry: int) -> None:
        self._chunk, self._entry = chunk, entry
        self._start = sum(self._last[chunk].lengths[:entry])
        self._go_on()

    def _go_on(self) -> None:
        """Begin the next chunk after the last entry of one."""
        if self._entry == len(self._last[self._chunk].values):
            self._chunk, self._entry, self._start = self._chunk + 1, 0, 0

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

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        return {
            name: (number, place)
            for number, chunk in enumerate(self._last)
            for place, name in enumerate(chunk.names)
        }


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
        window = _Window(pieces)
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
