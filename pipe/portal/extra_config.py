"""`ExtraConfig`: the environment of a service on plain Docker hosts, a JSON object as a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipe.configuration import EnvironmentEdit, Variables
from pipe.http.json_body import loads
from pipe.model import MAIN
from pipe.secret import Secret


def environments(config: str) -> Mapping[str, Variables]:
    """Return the variables of the only container.

    Raises `ValueError` with the reason when the text cannot be edited.
    """
    return {
        MAIN: {
            name: Secret(value if isinstance(value, str) else json.dumps(value))
            for name, value in _parse(config).items()
        }
    }


def with_environments(config: str, edits: Mapping[str, EnvironmentEdit]) -> str:
    """Return the text with the environment edited; raise `ValueError` as `environments` does."""
    parsed = _parse(config)
    edit = edits.get(MAIN, EnvironmentEdit())
    present = environments(config)[MAIN]
    for name, value in edit.values.items():
        if present.get(name) != value:
            parsed[name] = value.reveal()
    kept = {name: value for name, value in parsed.items() if name not in edit.removed}
    return json.dumps(kept, ensure_ascii=False)


def with_former_environments(config: str, former: str, edits: Mapping[str, EnvironmentEdit]) -> str:
    """Return the text with the variables that edits concern as they were in a former text.

    Raises `ValueError` as `environments` does.
    """
    now, before = _parse(config), _parse(former)
    names = edits.get(MAIN, EnvironmentEdit()).names
    others = {name: value for name, value in now.items() if name not in names}
    if others == {name: value for name, value in before.items() if name not in names}:
        return former
    restored = {name: value for name, value in before.items() if name in names}
    return json.dumps({**others, **restored}, ensure_ascii=False)


def _parse(config: str) -> dict[str, Any]:
    try:
        parsed = loads(config or "{}")
        json.dumps(parsed, allow_nan=False)
    except ValueError:
        raise ValueError("it is not valid JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - a wrong value, not a wrong call
    return parsed
