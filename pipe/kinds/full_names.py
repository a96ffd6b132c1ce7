"""The short names of resources whose full names carry the tenant's prefix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pipe.errors import Refused
from pipe.model import Target

_USUAL_PREFIX = "duploservices-"


def full_name(name: str, tenant: str, known: Iterable[str]) -> str | None:
    """Return the full name of the resource people call `name`, None unless exactly one matches.

    Full names are `duploservices-<tenant>-<name>`, with or without the account number as a
    suffix. Some installations use another first word.
    """
    names = set(known)
    if name in names:
        return name
    pattern = re.compile(rf"[a-z0-9]+-{re.escape(tenant)}-{re.escape(name)}(-\d{{12}})?")
    matching = [one for one in names if pattern.fullmatch(one)]
    usual = [one for one in matching if one.startswith(_USUAL_PREFIX)] or matching
    return usual[0] if len(usual) == 1 else None


def short_name(name: str, tenant: str) -> str:
    """Return the name people use for a resource."""
    match = re.fullmatch(rf"[a-z0-9]+-{re.escape(tenant)}-(.+?)(-\d{{12}})?", name)
    return match[1] if match else name


def check_distinct(found: Mapping[Target, str]) -> None:
    """Raise `Refused` when two targets are one resource, under two of its names."""
    targets: dict[str, list[Target]] = {}
    for target, name in found.items():
        targets.setdefault(name, []).append(target)
    for name, same in targets.items():
        if len(same) > 1:
            listed = " and ".join(str(target) for target in same)
            raise Refused(
                f"{listed} are one and the same resource, {name}, which is only changed once.",
                "Keep one of the entries.",
            )
