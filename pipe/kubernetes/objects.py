"""What all of Kubernetes' objects have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipe.portal.fields import UnexpectedShape, items, nested, required_object, text

_MOST_ITEMS = 50_000


def entries(body: Any) -> Iterator[dict[str, Any]]:
    """Return the objects of a list; raise `UnexpectedShape` for anything else."""
    listed = required_object(body).get("items")
    if listed is not None and not isinstance(listed, list):
        raise UnexpectedShape("a list of objects")
    if listed and len(listed) > _MOST_ITEMS:
        raise UnexpectedShape(f"at most {_MOST_ITEMS:,} objects")
    return items(listed)


def revision_of(item: Mapping[str, Any]) -> str:
    """Return what changes whenever an object does, empty where that is not shown."""
    metadata = nested(item, "metadata")
    uid, version = text(metadata, "uid"), text(metadata, "resourceVersion")
    return f"{uid}/{version}" if uid and version else ""
