"""What the user names: a workload of some kind."""

from __future__ import annotations

from dataclasses import dataclass

from pipe.kind import Kind

MAIN = ""
"""The key of a target's main container; other containers go by their own names."""


@dataclass(frozen=True, order=True)
class Target:
    """What the user names: one workload in the tenant that runs images."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        """Return the name, prefixed with the kind as in `SERVICES` unless it is a service."""
        return self.name if self.kind is Kind.SERVICE else f"{self.kind}:{self.name}"
