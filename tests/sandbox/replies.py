"""Answers in the portal's forms."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from tests.sandbox.world import World

_VOID: dict[str, tuple[int, str]] = {
    "no-content": (204, ""),
    "empty": (200, ""),
    "null": (200, "null"),
    "quotes": (200, '""'),
}


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return encoded(json.dumps(value), status)


def encoded(text: str, status: int = 200) -> Response:
    """The same for what is JSON already."""
    return Response(text, status, content_type="application/json; charset=utf-8")


def listing(world: World, values: list[Any]) -> Response:
    """A list; some portals send null for an empty one."""
    return answer(None if world.null_lists and not values else values)


def void(world: World) -> Response:
    """The answer of a call without result, in the form whose turn it is."""
    status, body = _VOID[world.void_forms[next(world.voids) % len(world.void_forms)]]
    kind = "application/json; charset=utf-8" if body else "text/plain"
    return Response(body, status, content_type=kind)


def refusal(status: int, text: str) -> Response:
    """An error as plain text."""
    return Response(text, status, content_type="text/plain; charset=utf-8")


def unknown(world: World, what: str, status: int = 400) -> Response:
    """Something is not there; the portal has two wordings for that."""
    ending = ("not found", "does not exist")[next(world.refusals) % 2]
    return refusal(status, f"{what} {ending}")
