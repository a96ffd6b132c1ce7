"""Side and init containers, which are kept inside the text of `OtherDockerConfig`."""

from __future__ import annotations

import json
from typing import Any

SIDECARS, INITS = "additionalcontainers", "initcontainers"


def parse(text: str | None) -> dict[str, Any]:
    """Return the settings as an object; invalid or missing text counts as empty."""
    try:
        parsed = json.loads(text or "{}")
    except json.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def pick(found: dict[str, Any], key: str) -> Any:
    """Return the value of a key in any case."""
    return next((value for name, value in found.items() if name.lower() == key.lower()), None)


def images(text: str | None, section: str) -> dict[str, str]:
    """Return the images of one section by container name."""
    return {
        str(pick(entry, "name")): str(pick(entry, "image"))
        for entry in pick(parse(text), section) or []
    }


def with_image(text: str, container: str, image: str) -> str | None:
    """Return the text with one container's image replaced; None if there is no such container."""
    config = parse(text)
    for section in (SIDECARS, INITS):
        for entry in pick(config, section) or []:
            if pick(entry, "name") == container:
                key = next(name for name in entry if name.lower() == "image")
                entry[key] = image
                return json.dumps(config, separators=(",", ":"))
    return None


def compose(
    sidecars: dict[str, str] | None,
    inits: dict[str, str] | None,
    extra: dict[str, Any] | str | None,
) -> str:
    """Return the text for a new service; `extra` may be the whole text."""
    if isinstance(extra, str):
        return extra
    config: dict[str, Any] = {"Env": [{"Name": "LOG", "Value": "info"}]}
    for key, wanted in (("additionalContainers", sidecars), ("initContainers", inits)):
        if wanted:
            config[key] = [{"name": name, "image": image} for name, image in wanted.items()]
    return json.dumps({**config, **(extra or {})}, separators=(",", ":"))
