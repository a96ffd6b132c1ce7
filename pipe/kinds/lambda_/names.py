"""From the short name of a function to the full one."""

from __future__ import annotations

import re
from collections.abc import Iterable

_USUAL_PREFIX = "duploservices-"


def resolve(name: str, tenant: str, known: Iterable[str]) -> str | None:
    """The full name of the function people call `name`; None when none or several fit.

    Full names are `duploservices-<tenant>-<name>`, with the account's number behind or without;
    the first word can be another in some installations.
    """
    names = set(known)
    if name in names:
        return name
    full = re.compile(rf"[a-z0-9]+-{re.escape(tenant)}-{re.escape(name)}(-\d{{12}})?")
    fitting = [one for one in names if full.fullmatch(one)]
    usual = [one for one in fitting if one.startswith(_USUAL_PREFIX)] or fitting
    return usual[0] if len(usual) == 1 else None


def short(name: str, tenant: str) -> str:
    """The name people use for a function."""
    found = re.fullmatch(rf"[a-z0-9]+-{re.escape(tenant)}-(.+?)(-\d{{12}})?", name)
    return found[1] if found else name
