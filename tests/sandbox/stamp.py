"""Names, ids and times in the portal's format, all of them reproducible."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from functools import lru_cache

# The letters that Kubernetes generates names from: no vowels, so that no words result.
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
# A big tenant is listed every second, with the same ids each time.
_CACHED = 1 << 16


def stamp(moment: datetime) -> str:
    """Return a time as the portal formats it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def second(moment: datetime) -> str:
    """Return a time as Kubernetes formats it: in whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(_CACHED)
def guid(seed: str) -> str:
    """Return a GUID that is the same for the same seed."""
    return str(uuid.UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16], version=4))


def suffix(seed: str, length: int) -> str:
    """Return the generated part of a name, the same for the same seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:length])


@lru_cache(_CACHED)
def docker_id(seed: str) -> str:
    """Return a container id, the same for the same seed."""
    return hashlib.sha256(seed.encode()).hexdigest()
