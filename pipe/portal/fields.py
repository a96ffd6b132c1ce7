"""Read fields from the portal's JSON.

Portal versions differ: any field may be missing, null or of another type, and no field is worth
a failed deploy. Only a body of the wrong overall shape is rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from pipe.secret import cut

LONGEST_PROSE = 4000
"""Characters of a text for people; the portal passes on whole traces."""


class UnexpectedShape(ValueError):
    """A body that does not have the shape the API promises; the text names the expected shape."""


def listed(body: Any) -> Iterator[dict[str, Any]]:
    """Return the objects in a list, none for null; raise `UnexpectedShape` for anything else."""
    if body is not None and not isinstance(body, list):
        raise UnexpectedShape("a list")
    return items(body)


def required_object(body: Any) -> dict[str, Any]:
    """Return a body that must be an object; raise `UnexpectedShape` otherwise."""
    if not isinstance(body, dict):
        raise UnexpectedShape("an object")
    return body


def items(value: Any) -> Iterator[dict[str, Any]]:
    """Return the objects in a value that may be a list."""
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )


def objects(item: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Return the objects in the list under a key."""
    return items(item.get(key))


def nested(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the object under a key, or an empty one."""
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def text(item: Mapping[str, Any], key: str) -> str:
    """Return the text under a key, or an empty one."""
    value = item.get(key)
    return value if isinstance(value, str) else ""


def prose(item: Mapping[str, Any], key: str) -> str:
    """Return the text for people under a key, cut to a readable length, or an empty one."""
    return cut(text(item, key), LONGEST_PROSE)


def enum_text(item: Mapping[str, Any], key: str) -> str:
    """Return an AWS enum value, which the portal sends bare or as `{"Value": ...}`."""
    return text(item, key) or text(nested(item, key), "Value")


def moment(item: Mapping[str, Any], key: str) -> datetime | None:
    """Return the time under a key, in UTC unless it names a zone, or None."""
    return parse_moment(text(item, key))


def parse_moment(written: str) -> datetime | None:
    """Return a time as the portal writes it, in UTC unless it names a zone, or None."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def count(item: Mapping[str, Any], key: str) -> int | None:
    """Return the non-negative number under a key, or None."""
    value = item.get(key)
    return value if is_integer(value) and value >= 0 else None


def code(item: Mapping[str, Any], key: str) -> int:
    """Return the platform code under a key, or -1, because 0 is a valid code."""
    value = item.get(key)
    return value if is_integer(value) else -1


def is_integer(value: Any) -> TypeGuard[int]:
    """Return whether a value is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)
