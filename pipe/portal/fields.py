"""Reading fields of the portal's JSON, none of which can be relied on to be there.

Any field may be missing, null or of another type: the portal's versions differ, and no field
is worth a failed deploy. Only a body of the wrong shape altogether is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard


class Shapeless(ValueError):
    """A body that is not what the API promises; the text says what was expected."""


def listed(body: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list; null is an empty one, and raises `Shapeless` for anything else."""
    if body is not None and not isinstance(body, list):
        message = "a list"
        raise Shapeless(message)
    return items(body)


def items(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of what may be a list."""
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )


def objects(item: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """The objects of the list under a key."""
    return items(item.get(key))


def nested(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under a key, empty when there is none."""
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def folded(value: Any) -> dict[str, Any]:
    """An object with its keys in small letters: people type them in any case."""
    return (
        {key.casefold(): entry for key, entry in value.items()} if isinstance(value, dict) else {}
    )


def text(item: Mapping[str, Any], key: str) -> str:
    """The text under a key, empty when there is none."""
    value = item.get(key)
    return value if isinstance(value, str) else ""


def count(item: Mapping[str, Any], key: str) -> int | None:
    """The number under a key, None when there is none."""
    value = item.get(key)
    return value if is_integer(value) and value >= 0 else None


def code(item: Mapping[str, Any], key: str) -> int:
    """A code of the platform; -1 when absent, because 0 is a valid one."""
    value = item.get(key)
    return value if is_integer(value) else -1


def is_integer(value: Any) -> TypeGuard[int]:
    """Whether a value is a number and not a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)
