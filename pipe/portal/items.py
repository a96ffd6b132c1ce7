"""Reading a long list again and again, when little of it changes in between.

A tenant's pods can be megabytes of JSON, every second. An object whose bytes are those of the
look before is the same object: it is neither parsed nor built again, and everything that was
found out about it stays true. What is compared are whole objects, so nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from operator import is_
from typing import Any, Generic, TypeVar

from pipe.portal.fields import Shapeless

T = TypeVar("T")

_BLANK = re.compile(rb"[ \t\r\n]*")
_WINDOW = 1 << 13
"""Bytes that are decoded to parse the first object; most are smaller."""
_SPARE = 512


class ItemReader(Generic[T]):
    """Turns the bytes of a JSON list of objects into built things, in the list's order.

    `build` makes a thing of an object. `name` tells a thing's name, by which the place is found
    where old and new list go on alike after something was added, changed or left out.
    """

    def __init__(self, build: Callable[[dict[str, Any]], T], name: Callable[[T], str]) -> None:
        self._build = build
        self._name = name
        # One value, so that threads that read side by side see list and places of one look.
        self._last: tuple[list[tuple[bytes, T | None]], dict[str, int]] = [], {}
        self._window = _WINDOW
        self._decode = json.JSONDecoder().raw_decode

    def read(self, body: bytes) -> tuple[T, ...]:
        """The things; raises `ValueError` when it is no JSON, `Shapeless` when it is no list."""
        at = _skip(body, 0)
        if body[at : at + 1] != b"[":
            return self._read_other(body)
        at = _skip(body, at + 1)
        items: list[tuple[bytes, T | None]] = []
        last = self._last
        known, expected, count = last[0], 0, len(last[0])
        while body[at : at + 1] != b"]":
            if expected < count and body.startswith(known[expected][0], at):
                # In line, as what follows a usual comma: nearly all of a long list is this.
                entry = known[expected]
                expected += 1
            else:
                entry, expected = self._changed(body, at, expected, last)
            items.append(entry)
            at += len(entry[0])
            if body.startswith(b",{", at):
                at += 1
            elif body.startswith(b", {", at):
                at += 2
            else:
                at = _after_comma(body, at)
        if _skip(body, at + 1) != len(body):
            raise ValueError("something behind the list")
        self._remember(items)
        return tuple(thing for _, thing in items if thing is not None)

    def _read_other(self, body: bytes) -> tuple[T, ...]:
        if json.loads(body) is not None:
            raise Shapeless("a list")
        self._remember([])
        return ()

    def _changed(
        self,
        body: bytes,
        at: int,
        expected: int,
        last: tuple[list[tuple[bytes, T | None]], dict[str, int]],
    ) -> tuple[tuple[bytes, T | None], int]:
        """The object at `at`, and the place in the earlier list that should come after it."""
        raw, parsed = self._parse(body, at)
        if not isinstance(parsed, dict):
            return (raw, None), expected
        thing = self._build(parsed)
        known, places = last
        place = places.get(self._name(thing))
        if place is None:
            return (raw, thing), expected
        if known[place][0] == raw:
            return known[place], place + 1
        return (raw, thing), place + 1

    def _parse(self, body: bytes, at: int) -> tuple[bytes, Any]:
        """The value that begins at `at`, with its bytes; raises `ValueError`."""
        # Objects of a list are alike: a bit more than the last one took is nearly always enough.
        window = self._window
        while True:
            # A character that the window cuts in two lies behind the value, or the value does
            # not end in this window.
            text = body[at : at + window].decode("utf-8", "ignore")
            try:
                parsed, end = self._decode(text)
            except RecursionError as error:
                raise ValueError(str(error)) from None
            except ValueError:
                if at + window >= len(body):
                    raise
                window *= 8
            else:
                size = end if text.isascii() else len(text[:end].encode())
                self._window = size + _SPARE
                return body[at : at + size], parsed

    def _remember(self, items: list[tuple[bytes, T | None]]) -> None:
        known, _ = self._last
        if len(items) == len(known) and all(map(is_, items, known)):
            return
        places = {
            self._name(thing): place for place, (_, thing) in enumerate(items) if thing is not None
        }
        self._last = items, places


def _after_comma(body: bytes, at: int) -> int:
    """The place of the next object, or of the list's end; raises `ValueError` for neither."""
    at = _skip(body, at)
    if body[at : at + 1] == b",":
        at = _skip(body, at + 1)
        if body[at : at + 1] == b"]":
            raise ValueError("a comma before the end of a list")
    elif body[at : at + 1] != b"]":
        raise ValueError("a list without an end")
    return at


def _skip(body: bytes, at: int) -> int:
    """The place of the next byte that is not blank."""
    if body[at : at + 1] not in (b" ", b"\n", b"\r", b"\t"):
        return at
    found = _BLANK.match(body, at)
    return found.end() if found else at
