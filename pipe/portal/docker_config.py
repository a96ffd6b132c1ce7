"""`OtherDockerConfig`: the environment of a service, and its side and init containers.

It is a JSON text that people typed, with keys in any letter case and keys unknown here.
Everything but what is changed is written as it was read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipe.configuration import EnvironmentEdit, Variables
from pipe.http.json_body import loads
from pipe.model import MAIN
from pipe.portal import environment as env
from pipe.portal.fields import items

_SECTIONS = ("initcontainers", "additionalcontainers")
_ENV = "env"


def images(config: str) -> dict[str, str]:
    """Return the images of side and init containers by name, none for an unreadable text."""
    try:
        parsed = loads(config or "{}")
    except ValueError:
        return {}
    return {
        container[name]: container[image]
        for container in _containers(parsed)
        if (name := _key(container, "name"))
        and (image := _key(container, "image"))
        and container[name]
    }


def with_images(config: str, wanted: Mapping[str, str]) -> str:
    """Return the text with the images of the named containers replaced.

    Raises `ValueError` with the reason when it is not a JSON object, or lacks a container.
    """
    parsed = parse(config)
    missing = dict(wanted)
    for container in _containers(parsed):
        name, image = _key(container, "name"), _key(container, "image")
        if name and image and container[name] in wanted:
            container[image] = wanted[container[name]]
            missing.pop(container[name], None)
    if missing:
        raise ValueError(f"it has no image for {', '.join(missing)}")
    return json.dumps(parsed, ensure_ascii=False)


def environments(config: str) -> Mapping[str, Variables]:
    """Return the variables of every container, by name.

    Raises `ValueError` with the reason when the text cannot be edited.
    """
    return {
        name: env.variables(env.entries_of(holder, env.key_of(holder, _ENV)))
        for name, holder in _holders(parse(config))
    }


def with_environments(config: str, edits: Mapping[str, EnvironmentEdit]) -> str:
    """Return the text with the environments of containers edited.

    Raises `ValueError` as `environments` does.
    """
    parsed = parse(config)
    for name, holder in _holders(parsed):
        if name not in edits:
            continue
        key = env.key_of(holder, _ENV)
        entries = env.entries_of(holder, key)
        keys = ("Name", "Value") if name == MAIN else ("name", "value")
        if (edited := env.edited(entries, edits[name], keys)) != entries:
            holder[key or ("Env" if name == MAIN else _ENV)] = edited
    return json.dumps(parsed, ensure_ascii=False)


def with_former_environments(config: str, former: str, edits: Mapping[str, EnvironmentEdit]) -> str:
    """Return the text with the variables that edits concern as they were in a former text.

    Raises `ValueError` as `environments` does.
    """
    parsed = parse(config)
    before = dict(_holders(parse(former)))
    for name, holder in _holders(parsed):
        if name in edits and name in before:
            env.restore(holder, before[name], edits[name], _ENV)
    return json.dumps(parsed, ensure_ascii=False)


def _holders(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects that hold an environment, by container; the text itself is the main's."""
    yield MAIN, config
    for container in _containers(config):
        if name := _key(container, "name"):
            yield container[name], container


def parse(config: str) -> dict[str, Any]:
    """Return the object in a text; raise `ValueError` with the reason if there is none."""
    try:
        parsed = loads(config or "{}")
        # Refuses numbers that JSON has no form for, such as NaN, before they get sent.
        json.dumps(parsed, allow_nan=False)
    except ValueError:
        raise ValueError("it is not valid JSON") from None
    if not isinstance(parsed, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - a wrong value, not a wrong call
    return parsed


def _containers(config: Any) -> Iterator[dict[str, Any]]:
    """Return every container, in all sections: one may be there twice, in different cases."""
    if not isinstance(config, dict):
        return
    for section in _SECTIONS:
        for key, value in config.items():
            if key.casefold() == section:
                yield from items(value)


def _key(container: Mapping[str, Any], name: str) -> str:
    """Return the key with this name in any letter case that holds a text, empty if none does."""
    keys = (key for key, value in container.items() if isinstance(value, str))
    return next((key for key in reversed(tuple(keys)) if key.casefold() == name), "")
