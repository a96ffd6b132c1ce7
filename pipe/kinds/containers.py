"""Names of containers, checked against a target."""

from __future__ import annotations

from pipe.errors import NotFound
from pipe.model import MAIN, Snapshot


def unknown_container(now: Snapshot, name: str) -> NotFound | None:
    """Return the error for a container that the target lacks, None if it has it."""
    if not name or now.container(name) in now.images:
        return None
    names = [now.main, *(one for one in now.images if one != MAIN)]
    return NotFound.named(f"container of {now.target}", "SERVICES", name, filter(None, names))
