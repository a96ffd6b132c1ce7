"""Changing images inside the text of `OtherDockerConfig` and nothing else in it.

Older portals keep side and init containers in there, as JSON that people typed: any key case,
any spacing, keys nobody here knows. So the text is not read and written again; the images'
literals are cut out of it and others put in their place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_SECTIONS = ("additionalcontainers", "initcontainers")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_CONTAINER_DEPTH = 3
"""Of a key in a container: inside the config, inside a section's list, inside the container."""


@dataclass
class _Entry:
    """One container while its object is being read: where its image stands, what it is called."""

    name: str = ""
    image: tuple[int, int] | None = None


@dataclass
class _Level:
    """An object or a list that has been opened; `key` is the present one in an object."""

    is_object: bool
    key: str = ""
    at_value: bool = False
    entry: _Entry = field(default_factory=_Entry)


def with_images(text: str, images: Mapping[str, str]) -> str:
    """`text` with the images of the named containers replaced.

    Raises `ValueError` with the reason when the text is no JSON object, or lacks a container.
    """
    _check(text)
    missing = dict(images)
    pieces, done = [], 0
    for entry in _containers(text):
        if entry.image is None or entry.name not in images:
            continue
        start, end = entry.image
        pieces += [text[done:start], json.dumps(images[entry.name], ensure_ascii=False)]
        done = end
        missing.pop(entry.name, None)
    if missing:
        raise ValueError(f"it holds no image of {', '.join(missing)}")
    return "".join([*pieces, text[done:]])


def _check(text: str) -> None:
    try:
        parsed: Any = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise ValueError("it is no valid JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - a wrong value, not a wrong call


def _containers(text: str) -> Iterator[_Entry]:
    """Every side and init container in valid JSON, in the order of the text."""
    levels: list[_Level] = []
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "{[":
            levels.append(_Level(is_object=mark == "{"))
        elif mark in "}]":
            level = levels.pop()
            if level.is_object and _is_container(levels):
                yield level.entry
        elif mark == ":":
            levels[-1].at_value = True
        elif mark == ",":
            levels[-1].at_value = False
        elif levels and levels[-1].is_object:
            _take_in(levels, token)


def _take_in(levels: list[_Level], token: re.Match[str]) -> None:
    level = levels[-1]
    if not level.at_value:
        level.key = json.loads(token[0]).casefold()
    elif len(levels) == _CONTAINER_DEPTH and token[0].startswith('"'):
        if level.key == "name":
            level.entry.name = json.loads(token[0])
        elif level.key == "image":
            level.entry.image = token.span()


def _is_container(outside: list[_Level]) -> bool:
    return (
        len(outside) == _CONTAINER_DEPTH - 1
        and outside[0].is_object
        and not outside[1].is_object
        and outside[0].key in _SECTIONS
    )
