"""`ExtraConfig`: the environment of a service on plain Docker hosts, a JSON object as a text."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pipe.configuration import EnvironmentEdit, Variables
from pipe.model import MAIN
from pipe.portal.docker_config import parse
from pipe.secret import Secret


def environments(config: str) -> Mapping[str, Variables]:
    """Return the variables of the only container.

    Raises `ValueError` with the reason when the text cannot be edited.
    """
    return {
        MAIN: {
            name: Secret(value if isinstance(value, str) else json.dumps(value))
            for name, value in parse(config).items()
        }
    }


def with_environments(config: str, edits: Mapping[str, EnvironmentEdit]) -> str:
    """Return the text with the environment edited; raise `ValueError` as `environments` does."""
    parsed = parse(config)
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
    now, before = parse(config), parse(former)
    names = edits.get(MAIN, EnvironmentEdit()).names
    others = {name: value for name, value in now.items() if name not in names}
    if others == {name: value for name, value in before.items() if name not in names}:
        return former
    restored = {name: value for name, value in before.items() if name in names}
    return json.dumps({**others, **restored}, ensure_ascii=False)
