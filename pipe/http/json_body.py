"""JSON from outside, decoded within limits of depth and size.

A short body may describe a structure that exhausts the stack, or a hundred times its own size in
memory. The stack of Python 3.13 lets the decoder go deeper than any code that walks the result.
"""

from __future__ import annotations

import json
from typing import Any

DEPTH = 100
"""Levels of nesting; the objects of Kubernetes and AWS have fewer than 30."""
CONTAINERS = 250_000
VALUES = 1_000_000


class TooComplex(ValueError):
    """JSON beyond the limits; the text names what was expected instead."""


def loads(body: bytes | str) -> Any:
    """Return the decoded body; raise `TooComplex`, or `ValueError` unless it is JSON."""
    check_size(body)
    try:
        decoded = json.loads(body)
    except RecursionError:
        raise _too_deep() from None
    except MemoryError:
        raise TooComplex("JSON that fits into memory") from None
    if _is_deep(decoded):
        raise _too_deep()
    return decoded


def check_size(body: bytes | str) -> None:
    """Raise `TooComplex` for a text that would decode to too many objects, lists or values."""
    if len(body) < CONTAINERS:
        return
    if isinstance(body, str):
        containers, commas = body.count("{") + body.count("["), body.count(",")
    else:
        containers, commas = body.count(b"{") + body.count(b"["), body.count(b",")
    # Brackets and commas within texts count as well: the limits are far above honest content.
    if containers > CONTAINERS:
        raise TooComplex(f"JSON with at most {CONTAINERS:,} objects and lists")
    if containers + commas > VALUES:
        raise TooComplex(f"JSON with at most {VALUES:,} values")


def _too_deep() -> TooComplex:
    return TooComplex(f"JSON with at most {DEPTH} levels")


def _is_deep(value: Any) -> bool:
    """Return whether a value is nested too deeply, without recursion."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEPTH):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return bool(level)
