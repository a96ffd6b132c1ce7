"""What an update sets besides images: variables of containers, and the number of replicas.

Values are secrets: they are compared and sent, and appear in no output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipe.secret import Secret

ENVIRONMENT, REPLICAS = "environment", "replicas"
"""The parts of a configuration, as `Present.problems` names them."""

Variables = Mapping[str, Secret | None]
"""The variables of one container; None for a value that the platform takes from elsewhere, such
as a Kubernetes Secret."""


@dataclass(frozen=True)
class EnvironmentEdit:
    """Variables of one container to set and to remove.

    `references` names variables that take their values from elsewhere, as they did before: only a
    rollback has them.
    """

    values: Mapping[str, Secret] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Every variable that the edit concerns."""
        return self.removed | self.references | self.values.keys()

    def changes(self, present: Variables) -> bool:
        """Return whether applying the edit to these variables changes anything."""
        return any(True for _ in differences(present, self))


@dataclass(frozen=True)
class Configuration:
    """The configuration that is wanted of one target.

    `environment` holds edits by container. `replicas` is None to leave the number as it is.
    """

    environment: Mapping[str, EnvironmentEdit] = field(default_factory=dict)
    replicas: int | None = None

    def __bool__(self) -> bool:
        return bool(self.environment) or self.replicas is not None


@dataclass(frozen=True)
class Present:
    """The configuration of a target as one look found it.

    `environment` is empty where the target's kind has none. `replicas` is None where the number
    cannot be set; `problems` says why a part of it, `ENVIRONMENT` or `REPLICAS`, cannot be
    changed.
    """

    environment: Mapping[str, Variables] = field(default_factory=dict)
    replicas: int | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    def values(self) -> Iterator[Secret]:
        """Yield every value that containers get as plain text."""
        for variables in self.environment.values():
            yield from (value for value in variables.values() if value is not None)


def differences(present: Variables, edit: EnvironmentEdit) -> Iterator[str]:
    """Yield what an edit changes, as `+ NEW`, `~ CHANGED` or `- REMOVED`, without any value."""
    for name, value in edit.values.items():
        if name not in present:
            yield f"+ {name}"
        elif present[name] is None:
            yield f"~ {name} (plain text instead of its value from a secret or reference)"
        elif present[name] != value:
            yield f"~ {name}"
    for name in sorted(edit.references):
        if name not in present or present[name] is not None:
            yield f"~ {name} (its value from a secret or reference again)"
    for name in sorted(edit.removed & present.keys()):
        yield f"- {name}"


def describe(present: Present, wanted: Configuration) -> tuple[str, ...]:
    """Return what a configuration changes, one entry for each container and for the replicas."""
    parts = []
    for container, edit in wanted.environment.items():
        found = ", ".join(differences(present.environment.get(container, {}), edit))
        if found:
            parts.append(f"{container} {found}" if container else found)
    if wanted.replicas is not None and wanted.replicas != present.replicas:
        before = "unknown" if present.replicas is None else present.replicas
        parts.append(f"replicas {before} -> {wanted.replicas}")
    return tuple(parts)


def remaining(present: Present, wanted: Configuration) -> Configuration:
    """Return the part of a configuration that is not in place yet."""
    environment = {
        container: edit
        for container, edit in wanted.environment.items()
        if edit.changes(present.environment.get(container, {}))
    }
    is_set = wanted.replicas == present.replicas
    return Configuration(environment, None if is_set else wanted.replicas)


def is_in_place(present: Present, wanted: Configuration) -> bool:
    """Return whether nothing remains of a configuration, as far as it can be read."""
    return not remaining(present, wanted) and not (
        wanted.environment and present.problems.get(ENVIRONMENT)
    )


def inverse(
    present: Present, edits: Mapping[str, EnvironmentEdit]
) -> Mapping[str, EnvironmentEdit]:
    """Return the edits that undo others, made to this present environment."""
    undone = {}
    for container, edit in edits.items():
        before = present.environment.get(container, {})
        undone[container] = EnvironmentEdit(
            {name: value for name in edit.names if (value := before.get(name)) is not None},
            frozenset(edit.names - before.keys()),
            frozenset(name for name in edit.names & before.keys() if before[name] is None),
        )
    return undone
