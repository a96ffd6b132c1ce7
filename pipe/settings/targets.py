"""Read the targets and images: `SERVICES`, or `SERVICE`, `KIND` and `IMAGE`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipe import image
from pipe.kind import Kind
from pipe.settings import parsers
from pipe.settings.model import Action, ImageRequest
from pipe.settings.reader import Reader
from pipe.target import Target

_MOST_ENTRIES = 1000
_WITHOUT_IMAGE = (Action.ROLLBACK, Action.RUN)
"""Actions that find the image themselves where none is given."""


def read_image_requests(
    reader: Reader, environ: Mapping[str, str], action: Action
) -> tuple[ImageRequest, ...]:
    """Return every target with its image; problems go to the reader."""
    kind = reader.read("KIND", parsers.choice(Kind), Kind.SERVICE)
    entries = list_entries(environ, "SERVICES")
    if isinstance(entries, str):
        reader.refuse("SERVICES", entries)
        return ()
    if not entries:
        return _by_name(reader, kind, action)
    for name in ("SERVICE", "IMAGE"):
        if reader.raw(name):
            reader.refuse(
                name,
                "cannot be combined with SERVICES",
                f"Remove {name}, or remove SERVICES",
            )
    image_requests = tuple(
        request
        for entry in entries
        if (request := _read_entry(reader, entry, kind, action)) is not None
    )
    _refuse_duplicates(reader, image_requests)
    return image_requests


def list_entries(environ: Mapping[str, str], name: str, separator: str = r"\s+") -> list[str] | str:
    """Return the entries of a list variable, or what is wrong with it.

    Bitbucket passes a list as `X_COUNT`, `X_0`, `X_1`, ..., and text as `X`, in which `separator`
    (a regular expression) is between two entries.
    """
    numbered = numbered_entries(environ, name)
    if isinstance(numbered, str):
        return numbered
    parts = re.split(separator, environ.get(name, "")) if numbered is None else numbered
    return [entry for part in parts if (entry := part.strip())]


def numbered_entries(environ: Mapping[str, str], name: str) -> list[str] | str | None:
    """Return the entries as Bitbucket passes a list, unchanged, or what is wrong with it.

    None without `X_COUNT`: the variable is not a list.
    """
    counted = environ.get(f"{name}_COUNT", "").strip()
    if not counted:
        return None
    if not re.fullmatch("[0-9]{1,4}", counted) or int(counted) > _MOST_ENTRIES:
        return f"has {name}_COUNT, which must be a number up to {_MOST_ENTRIES}"
    return [environ.get(f"{name}_{number}", "") for number in range(int(counted))]


def _by_name(reader: Reader, kind: Kind, action: Action) -> tuple[ImageRequest, ...]:
    none: tuple[str, ...] = ()
    names = reader.read("SERVICE", parsers.names, none)
    if action in _WITHOUT_IMAGE and not reader.raw("IMAGE"):
        requested = image.NONE
    else:
        requested = reader.read("IMAGE", parsers.image, image.NONE)
    return tuple(ImageRequest(Target(kind, name), requested) for name in names)


def _read_entry(reader: Reader, entry: str, kind: Kind, action: Action) -> ImageRequest | None:
    if literal := parsers.literal(entry):
        reader.refuse(
            "SERVICES", f"still contains the literal text {literal}: it was not replaced by a value"
        )
        return None
    try:
        request = parsers.entry(kind)(entry)
    except ValueError as error:
        reader.refuse("SERVICES", str(error))
        return None
    if request.image == image.NONE and action not in _WITHOUT_IMAGE:
        reader.refuse("SERVICES", f'contains "{parsers.short(entry)}", which has no =image')
        return None
    return request


def _refuse_duplicates(reader: Reader, image_requests: Sequence[ImageRequest]) -> None:
    by_container: dict[tuple[Target, str], list[ImageRequest]] = defaultdict(list)
    for request in image_requests:
        by_container[request.target, request.container].append(request)
    for (target, container), same in by_container.items():
        if len(same) == 1:
            continue
        what = f"{target}/{container}" if container else str(target)
        images = list(dict.fromkeys(str(request.image) for request in same))
        how = f"with {len(images)} images: {', '.join(images)}" if len(images) > 1 else "twice"
        reader.refuse("SERVICES", f"names {what} {how}", f"Keep one entry for {what}")
