"""What to deploy: `SERVICES`, or `SERVICE`, `KIND` and `IMAGE`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipe import image
from pipe.kind import Kind
from pipe.model import Target
from pipe.settings import parsers
from pipe.settings.model import Action, ImageRequest

if TYPE_CHECKING:
    from pipe.settings.load import Reader

_MOST_ENTRIES = 1000


def read_image_requests(
    reader: Reader, environ: Mapping[str, str], action: Action
) -> tuple[ImageRequest, ...]:
    """Every target with its image; problems are noted with the reader."""
    kind = reader.read("KIND", parsers.choice(Kind), Kind.SERVICE)
    entries = list_of(environ, "SERVICES")
    if isinstance(entries, str):
        reader.refuse("SERVICES", entries)
        return ()
    if not entries:
        return _by_name(reader, kind, action)
    for name in ("SERVICE", "IMAGE"):
        if reader.raw(name):
            reader.refuse(
                name,
                "is given besides SERVICES, which says it all",
                f"Remove {name}, or remove SERVICES",
            )
    image_requests = tuple(
        request
        for entry in entries
        if (request := _read_entry(reader, entry, kind, action)) is not None
    )
    _refuse_doubles(reader, image_requests)
    return image_requests


def list_of(environ: Mapping[str, str], name: str) -> list[str] | str:
    """The entries of a list variable, or what is wrong with it as the rest of a sentence.

    Bitbucket passes a list as `X_COUNT`, `X_0`, `X_1`, ..., and text as `X`.
    """
    counted = environ.get(f"{name}_COUNT", "").strip()
    if not counted:
        return environ.get(name, "").split()
    if not counted.isascii() or not counted.isdigit() or int(counted) > _MOST_ENTRIES:
        return f"has {name}_COUNT, which must be a number up to {_MOST_ENTRIES}"
    entries = [environ.get(f"{name}_{number}", "").strip() for number in range(int(counted))]
    return [entry for entry in entries if entry]


def _by_name(reader: Reader, kind: Kind, action: Action) -> tuple[ImageRequest, ...]:
    none: tuple[str, ...] = ()
    names = reader.read("SERVICE", parsers.names, none)
    if action is Action.ROLLBACK and not reader.raw("IMAGE"):
        wanted = image.NONE
    else:
        wanted = reader.read("IMAGE", parsers.image, image.NONE)
    return tuple(ImageRequest(Target(kind, name), wanted) for name in names)


def _read_entry(reader: Reader, entry: str, kind: Kind, action: Action) -> ImageRequest | None:
    if literal := parsers.literal(entry):
        reader.refuse(
            "SERVICES", f"still holds the literal text {literal}: nothing gave it a value"
        )
        return None
    try:
        request = parsers.entry(kind)(entry)
    except ValueError as error:
        reader.refuse("SERVICES", str(error))
        return None
    if request.image == image.NONE and action is not Action.ROLLBACK:
        reader.refuse("SERVICES", f'holds "{parsers.short(entry)}", which has no =image')
        return None
    return request


def _refuse_doubles(reader: Reader, image_requests: Sequence[ImageRequest]) -> None:
    found: dict[tuple[Target, str], list[ImageRequest]] = defaultdict(list)
    for request in image_requests:
        found[request.target, request.container].append(request)
    for (target, container), same in found.items():
        if len(same) == 1:
            continue
        what = f"{target}/{container}" if container else str(target)
        images = list(dict.fromkeys(str(request.image) for request in same))
        told = f"with {len(images)} images: {', '.join(images)}" if len(images) > 1 else "twice"
        reader.refuse("SERVICES", f"names {what} {told}", f"Keep one entry for {what}")
