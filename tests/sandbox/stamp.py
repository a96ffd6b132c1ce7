"""Names, ids and times in the platform's spelling, all of them repeatable."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from functools import lru_cache

# The letters Kubernetes uses for generated names: no vowels, so that no words come about.
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
# A big tenant is listed every second, with the same ids each time.
_KEPT = 1 << 16


def stamp(moment: datetime) -> str:
    """A time as the portal writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@lru_cache(_KEPT)
def guid(seed: str) -> str:
    """A GUID that is the same for the same seed."""
    return str(uuid.UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16], version=4))


def suffix(seed: str, length: int) -> str:
    """A generated part of a name, the same for the same seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:length])


@lru_cache(_KEPT)
def docker_id(seed: str) -> str:
    """A container id, the same for the same seed."""
    return hashlib.sha256(seed.encode()).hexdigest()
