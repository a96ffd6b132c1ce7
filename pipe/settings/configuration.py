"""Read `ENV`, `ENV_REMOVE` and `REPLICAS`: what an update sets besides images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipe import files
from pipe.configuration import Configuration, EnvironmentEdit
from pipe.kind import Kind
from pipe.secret import Secret
from pipe.settings import parsers
from pipe.settings.model import ImageRequest, Settings
from pipe.settings.reader import Reader
from pipe.settings.targets import list_entries
from pipe.target import MAIN, Target

_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
"""Names that Kubernetes accepts, with dots and dashes."""
_MOST_FILE = 1 << 20
_LONGEST_VALUE = 1 << 17
"""Characters; Linux limits a variable with its name to 128 KiB."""
_MOST_REPLICAS = 10_000

_SHORTEST_SECRET = 4
_PUBLIC = frozenset(
    (
        *("true", "false", "none", "null", "enabled", "disabled", "default", "auto", "localhost"),
        *("trace", "debug", "info", "warn", "warning", "error"),
        *("prod", "production", "staging", "stage", "development", "test"),
    )
)

Place = tuple[Target, str]
"""A target and the name of one of its containers as the user wrote it, empty for the main one."""


@dataclass(frozen=True)
class _Entry:
    """One entry of `ENV` or `ENV_REMOVE`; `place` is None for the main container of all targets."""

    place: Place | None
    name: str
    value: Secret = field(default_factory=lambda: Secret(""))


def read_configurations(
    reader: Reader,
    environ: Mapping[str, str],
    requests: Sequence[ImageRequest],
    clone_dir: Path,
) -> Mapping[Target, Configuration]:
    """Return the configuration that is wanted of each target, none for most."""
    kind = reader.read("KIND", parsers.choice(Kind), Kind.SERVICE)
    added = [*_read(reader, environ, "ENV", kind, clone_dir)]
    removed = [*_read(reader, environ, "ENV_REMOVE", kind, clone_dir)]
    replicas = reader.read("REPLICAS", _replicas, None)
    targets = tuple(dict.fromkeys(request.target for request in requests))
    _refuse_strangers(reader, "ENV", added, targets)
    _refuse_strangers(reader, "ENV_REMOVE", removed, targets)
    edits = {target: _edits(reader, target, added, removed) for target in targets}
    _refuse_kinds(reader, edits, replicas)
    configurations = {target: Configuration(edits[target], replicas) for target in targets}
    return {target: one for target, one in configurations.items() if one}


def secret_values(
    configurations: Mapping[Target, Configuration], public: Sequence[str]
) -> Iterator[Secret]:
    """Yield the wanted values that output must not show; `public` is as for `maskable`."""
    for configuration in configurations.values():
        for edit in configuration.environment.values():
            yield from maskable(edit.values.values(), public)


def maskable(values: Iterable[Secret], public: Sequence[str]) -> Iterator[Secret]:
    """Yield the values to mask: all but short ones, and those that are public anyway.

    `public` are texts that the log is to show, such as the names of images: masking a version
    that `ENV` passes on would hide it everywhere.
    """
    for value in values:
        text = value.reveal()
        is_public = text.lower() in _PUBLIC or any(text in one for one in public)
        if len(text) >= _SHORTEST_SECRET and not is_public:
            yield value


def public_texts(settings: Settings) -> tuple[str, ...]:
    """Return the texts of a run that its log is to show, whatever `ENV` passes on."""
    requests = settings.image_requests
    return (
        settings.host,
        settings.tenant,
        *(request.target.name for request in requests),
        *(request.container for request in requests),
        *(str(request.image) for request in requests),
        *(fact for fact in vars(settings.step).values() if isinstance(fact, str)),
    )


def _read(
    reader: Reader, environ: Mapping[str, str], variable: str, kind: Kind, clone_dir: Path
) -> Iterator[_Entry]:
    """Yield the entries of a list variable; problems name no value."""
    entries = list_entries(environ, variable, r"\n" if variable == "ENV" else r"[,\s]+")
    if isinstance(entries, str):
        reader.refuse(variable, entries)
        return
    for number, entry in enumerate(entries, 1):
        try:
            if variable == "ENV_REMOVE":
                yield _removal(entry, kind)
            elif entry.startswith("@"):
                yield from _file(clone_dir, entry[1:])
            else:
                yield _assignment(entry, kind, f"entry {number}")
        except ValueError as error:
            reader.refuse(variable, str(error))


def _assignment(entry: str, kind: Kind, what: str) -> _Entry:
    left, equals, value = entry.partition("=")
    if not equals:
        message = f"has {what} without a =; write NAME=value"
        raise ValueError(message)
    prefix, _, name = left.rpartition(":")
    _check_name(name, what)
    if parsers.LITERAL.fullmatch(value):
        message = f"sets {name} to the literal text {value}: it was not replaced by a value"
        raise ValueError(message)
    if len(value) > _LONGEST_VALUE or "\0" in value or not _is_text(value):
        message = f"sets {name} to a value that no container can get: at most 128 KiB of UTF-8"
        raise ValueError(message)
    return _Entry(_place(prefix, kind), name, Secret(value))


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _removal(entry: str, kind: Kind) -> _Entry:
    if "=" in entry:
        message = "has an entry with a =, but takes names without a value"
        raise ValueError(message)
    prefix, _, name = entry.rpartition(":")
    _check_name(name, f'"{parsers.short(entry)}"')
    return _Entry(_place(prefix, kind), name)


def _file(clone_dir: Path, name: str) -> Iterator[_Entry]:
    """Yield the variables of a file as Docker's `--env-file` reads them: values are literal."""
    quoted = f'"{parsers.short(name)}"'
    try:
        text = files.read(clone_dir / name, _MOST_FILE).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        message = f"names the file {quoted}, which cannot be read: {reason}"
        raise ValueError(message) from None
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.lstrip().removesuffix("\r")
        if stripped and not stripped.startswith("#"):
            name, equals, value = stripped.partition("=")
            what = f"line {number} of {quoted}"
            _check_name(name, what)
            if not equals:
                message = f"has {what} without a =; write {name}=value"
                raise ValueError(message)
            yield _Entry(None, name, Secret(value))


def _check_name(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        message = f'has no valid name in {what}: use letters, digits, ".", "_" and "-" only'
        raise ValueError(message)


def _place(prefix: str, default: Kind) -> Place | None:
    if not prefix:
        return None
    kind, colon, rest = prefix.rpartition(":")
    name, slash, container = rest.partition("/")
    if slash and not container:
        message = f'contains "{parsers.short(prefix)}", which has no container after the /'
        raise ValueError(message)
    if container:
        parsers.name(container)
    return Target(parsers.choice(Kind)(kind) if colon else default, parsers.name(name)), container


def _replicas(value: str) -> int | None:
    if not re.fullmatch("[0-9]{1,5}", value) or int(value) > _MOST_REPLICAS:
        message = f'must be a whole number from 0 to {_MOST_REPLICAS}, not "{parsers.short(value)}"'
        raise ValueError(message)
    return int(value)


def _refuse_strangers(
    reader: Reader, variable: str, entries: Sequence[_Entry], targets: Sequence[Target]
) -> None:
    """Report entries for targets that are not deployed."""
    named = dict.fromkeys(entry.place[0] for entry in entries if entry.place)
    for target in named:
        if targets and target not in targets:
            reader.refuse(
                variable,
                f"names {target}, which this step does not deploy",
                f"Add {target} to the targets, or remove its entries from {variable}",
            )


def _edits(
    reader: Reader, target: Target, added: Sequence[_Entry], removed: Sequence[_Entry]
) -> Mapping[str, EnvironmentEdit]:
    """Return one target's edits by container; report contradictions."""
    values: dict[str, dict[str, Secret]] = defaultdict(dict)
    names: dict[str, set[str]] = defaultdict(set)
    for entry in added:
        if (container := _container(entry, target)) is None:
            continue
        if entry.name in values[container]:
            reader.refuse("ENV", f"sets {entry.name} of {_named(target, container)} twice")
        values[container][entry.name] = entry.value
    for entry in removed:
        if (container := _container(entry, target)) is None:
            continue
        if entry.name in values[container]:
            reader.refuse(
                "ENV_REMOVE",
                f"removes {entry.name} of {_named(target, container)}, which ENV sets",
                f"Remove {entry.name} from ENV or from ENV_REMOVE",
            )
        names[container].add(entry.name)
    containers = [name for name in {**values, **names} if values[name] or names[name]]
    return {name: EnvironmentEdit(values[name], frozenset(names[name])) for name in containers}


def _container(entry: _Entry, target: Target) -> str | None:
    """Return the container of a target that an entry is for, None if it is for another target."""
    if entry.place is None:
        return MAIN
    return entry.place[1] if entry.place[0] == target else None


def _refuse_kinds(
    reader: Reader, edits: Mapping[Target, Mapping[str, EnvironmentEdit]], replicas: int | None
) -> None:
    """Report targets of kinds whose environment or number of replicas cannot be set."""
    for kind in Kind:
        own = [target for target in edits if target.kind is kind]
        if not own:
            continue
        environment, count = kind.capabilities.sets_environment, kind.capabilities.sets_replicas
        listed = ", ".join(map(str, own))
        if not environment and any(edits[target] for target in own):
            reader.refuse(
                "ENV", f"cannot be used with {listed}: {environment.reason}", "Remove ENV for them"
            )
        if not count and replicas is not None:
            reader.refuse(
                "REPLICAS", f"cannot be used with {listed}: {count.reason}", "Remove REPLICAS"
            )


def _named(target: Target, container: str) -> str:
    return f"{target}/{container}" if container else str(target)
