"""Replies in the forms that the portal uses."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from tests.sandbox.current import current_world

_VOID: dict[str, tuple[int, str]] = {
    "no-content": (204, ""),
    "empty": (200, ""),
    "null": (200, "null"),
    "quotes": (200, '""'),
}


def answer(value: Any, status: int = 200) -> Response:
    """Return a JSON reply."""
    return encoded(json.dumps(value), status)


def encoded(text: str, status: int = 200) -> Response:
    """Return a reply whose text is JSON already."""
    return Response(text, status, content_type="application/json; charset=utf-8")


def listing(values: list[Any]) -> Response:
    """Return a list; some portals send null for an empty one."""
    return answer(None if current_world().null_lists and not values else values)


def void() -> Response:
    """Return the reply of a call without a result, in the next of its forms."""
    world = current_world()
    status, body = _VOID[world.void_forms[next(world.voids) % len(world.void_forms)]]
    content_type = "application/json; charset=utf-8" if body else "text/plain"
    return Response(body, status, content_type=content_type)


def refusal(status: int, text: str) -> Response:
    """Return an error as plain text."""
    return Response(text, status, content_type="text/plain; charset=utf-8")


def unknown(what: str, status: int = 400) -> Response:
    """Return the error for something missing; the portal words it in two ways."""
    run_result = ("not found", "does not exist")[next(current_world().refusals) % 2]
    return refusal(status, f"{what} {run_result}")
