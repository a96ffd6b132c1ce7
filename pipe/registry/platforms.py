"""The platforms of an image, such as linux/amd64, from its index or its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipe.http.excerpt import one_line
from pipe.image import is_digest

_MOST_PLATFORMS = 50
_LONGEST = 40


def of_index(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Return the platforms in an image index, none for a manifest of one image."""
    listed = manifest.get("manifests")
    entries = listed[:_MOST_PLATFORMS] if isinstance(listed, list) else []
    platforms = (entry.get("platform") for entry in entries if isinstance(entry, Mapping))
    return frozenset(name for one in platforms for name in _name(one))


def of_config(config: Mapping[str, Any]) -> frozenset[str]:
    """Return the platform in the configuration of one image, none if it names none."""
    return frozenset(_name(config))


def config_digest(manifest: Mapping[str, Any]) -> str:
    """Return the digest of an image's configuration, empty without a valid one."""
    config = manifest.get("config")
    digest = config.get("digest") if isinstance(config, Mapping) else ""
    return digest if isinstance(digest, str) and is_digest(digest) else ""


def _name(platform: Any) -> Iterator[str]:
    """Yield system and architecture; variants are left out: nodes run older ones as well.

    Attestations of a build have the platform unknown/unknown.
    """
    if not isinstance(platform, Mapping):
        return
    system, architecture = platform.get("os"), platform.get("architecture")
    for part in (system, architecture):
        if not isinstance(part, str) or part in ("", "unknown") or len(part) > _LONGEST:
            return
    yield one_line(f"{system}/{architecture}")
