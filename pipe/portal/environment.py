"""The environment of one container, as the platform stores it: a list of entries.

An entry has a name and either a value or a reference, under keys in any letter case, and people
typed many of them. Everything that an edit does not concern stays as it was read: order, unknown
keys, and the letter case of every key.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipe.configuration import EnvironmentEdit, Variables
from pipe.secret import Secret


def variables(entries: Any) -> Variables:
    """Return the variables in a list of entries; the last one of a name counts."""
    found: dict[str, Secret | None] = {}
    for entry in entries if isinstance(entries, list) else ():
        if name := _name(entry):
            found[name] = _value(entry)
    return found


def edited(entries: Sequence[Any], edit: EnvironmentEdit, keys: tuple[str, str]) -> list[Any]:
    """Return the entries with an edit applied.

    New entries get the keys of the first entry, or `keys` for an empty list.
    """
    kept = [
        _with_value(entry, edit.values) for entry in entries if _name(entry) not in edit.removed
    ]
    present = {_name(entry) for entry in kept}
    name_key, value_key = _keys(entries, keys)
    added = [
        {name_key: name, value_key: value.reveal()}
        for name, value in edit.values.items()
        if name not in present
    ]
    return [*kept, *added]


def restore(
    holder: dict[str, Any], before: Mapping[str, Any], edit: EnvironmentEdit, name: str
) -> None:
    """Give an object the variables that an edit concerned as a former object had them.

    The list is under the key that reads `name`. All other variables stay as they are now; where
    they are as they were, the former list is restored as a whole. Raises `ValueError` with the
    reason when an environment cannot be edited.
    """
    key, former_key = key_of(holder, name), key_of(before, name)
    entries, former = entries_of(holder, key), entries_of(before, former_key)
    others = [entry for entry in entries if _name(entry) not in edit.names]
    if others != [entry for entry in former if _name(entry) not in edit.names]:
        holder[key or former_key] = [*others, *(one for one in former if _name(one) in edit.names)]
        return
    if key and key != former_key:
        del holder[key]
    if former_key:
        holder[former_key] = copy.deepcopy(before[former_key])


def key_of(item: Mapping[str, Any], name: str) -> str:
    """Return the key of an object that reads `name` in any letter case, empty if none does.

    Raises `ValueError` when there are several, because it is unknown which one counts.
    """
    keys = [key for key in item if key.casefold() == name.casefold()]
    if len(keys) > 1:
        message = f"it has {' and '.join(keys)}, and it is unknown which one counts"
        raise ValueError(message)
    return keys[0] if keys else ""


def entries_of(item: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under a key, empty for null; raise `ValueError` for anything else."""
    found = item.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        message = f"its {key} is not a list"
        raise ValueError(message)  # noqa: TRY004 - a wrong value, not a wrong call
    return found


def _with_value(entry: Any, values: Mapping[str, Secret]) -> Any:
    value = values.get(_name(entry))
    if value is None or _value(entry) == value:
        return entry
    kept = {key: one for key, one in entry.items() if key.casefold() != "valuefrom"}
    key = key_of(kept, "value") or _like(key_of(kept, "name"), "value")
    return {**kept, key: value.reveal()}


def _name(entry: Any) -> str:
    name = _field(entry, "name")
    return name if isinstance(name, str) else ""


def _value(entry: Any) -> Secret | None:
    if _field(entry, "valuefrom") is not None:
        return None
    value = _field(entry, "value")
    # Kubernetes takes an entry without a value for an empty one.
    return Secret("" if value is None else value if isinstance(value, str) else str(value))


def _field(entry: Any, name: str) -> Any:
    if not isinstance(entry, dict):
        return None
    found: Iterable[Any] = (value for key, value in entry.items() if key.casefold() == name)
    return next(iter(found), None)


def _keys(entries: Sequence[Any], default: tuple[str, str]) -> tuple[str, str]:
    for entry in entries:
        if _name(entry):
            name = key_of(entry, "name")
            return name, _like(name, "value")
    return default


def _like(pattern: str, word: str) -> str:
    """Return a word in the letter case of another key."""
    return word.capitalize() if pattern[:1].isupper() else word
