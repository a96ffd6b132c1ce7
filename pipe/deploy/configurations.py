"""What `ENV`, `ENV_REMOVE` and `REPLICAS` come to for targets as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pipe.configuration import (
    ENVIRONMENT,
    REPLICAS,
    Configuration,
    EnvironmentEdit,
    remaining,
)
from pipe.errors import ConfigError, Problem
from pipe.model import MAIN, Snapshot, Target


def remaining_configurations(
    wanted: Mapping[Target, Configuration], found: Mapping[Target, Snapshot]
) -> Mapping[Target, Configuration]:
    """Return for each target what is not in place yet, by the containers' keys in snapshots.

    Raises `ConfigError` with every part that cannot be set.
    """
    named = {target: _by_key(found[target], one) for target, one in wanted.items()}
    if problems := [
        problem for target, one in named.items() for problem in _problems(found[target], one)
    ]:
        raise ConfigError(problems)
    return {target: remaining(found[target].present, one) for target, one in named.items()}


def _by_key(now: Snapshot, wanted: Configuration) -> Configuration:
    """Return a configuration with the main container under its key, also where it was named."""
    edits: dict[str, EnvironmentEdit] = {}
    for name, edit in wanted.environment.items():
        key = now.container(name) if name else MAIN
        edits[key] = _merged(now, edits[key], edit) if key in edits else edit
    return Configuration(edits, wanted.replicas)


def _merged(now: Snapshot, one: EnvironmentEdit, other: EnvironmentEdit) -> EnvironmentEdit:
    if both := sorted(one.names & other.names):
        what = (
            f"names {', '.join(both)} of the main container of {now.target} twice, once as "
            f"{now.main}"
        )
        raise ConfigError([Problem("ENV", what, f"Keep one entry for {now.target}")])
    return EnvironmentEdit({**one.values, **other.values}, one.removed | other.removed)


def _problems(now: Snapshot, wanted: Configuration) -> Iterator[Problem]:
    problems = now.present.problems
    if wanted.environment and ENVIRONMENT in problems:
        what = f"cannot be applied to {now.target}: {problems[ENVIRONMENT]}"
        yield Problem("ENV", what, "Correct it in the portal")
    elif unknown := [name for name in wanted.environment if name not in now.present.environment]:
        names = [now.main, *(name for name in now.present.environment if name != MAIN)]
        for name in unknown:
            near = get_close_matches(name, names, 3, 0.6)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"It has {', '.join(names)}"
            yield Problem(
                "ENV", f"names {now.target}/{name}, a container that does not exist", hint
            )
    if wanted.replicas is not None and REPLICAS in problems:
        what = f"cannot be set for {now.target}: {problems[REPLICAS]}"
        yield Problem("REPLICAS", what, "Remove REPLICAS, or deploy this target in a step without")
