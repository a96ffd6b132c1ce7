"""Responses of OCI registries, and of other servers that respond in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipe.http import Reply


def is_temporary(reply: Reply) -> bool:
    """Return whether a reply is a temporary failure.

    An outage, or a success whose body is not a JSON object: registries return nothing else.
    """
    return reply.outage or (reply.ok and bool(reply.body) and not json_object(reply))


def is_manifest(reply: Reply) -> bool:
    """Return whether the body is an image manifest; status 200 alone comes from any server."""
    return "schemaVersion" in json_object(reply)


def json_object(reply: Reply) -> Mapping[str, Any]:
    """Return the JSON object in the body, an empty one for anything else."""
    try:
        content = reply.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def media_type(reply: Reply) -> str:
    """Return the media type without its parameters."""
    return reply.headers.get("Content-Type", "").partition(";")[0].strip()


def stated_digest(reply: Reply) -> str:
    """Return the digest that the registry states, unchecked; empty if it states none."""
    return reply.headers.get("Docker-Content-Digest", "")


def tags(reply: Reply) -> list[str]:
    """Return one page of tags."""
    listed = json_object(reply).get("tags") or []
    return [str(tag) for tag in listed] if isinstance(listed, list) else []


def error_codes(reply: Reply) -> set[str]:
    """Return the error codes of the distribution API, none for another server's error."""
    try:
        return {str(error["code"]) for error in json_object(reply)["errors"]}
    except (LookupError, TypeError):
        return set()
