"""How a Deployment replaces its pods: the counts it may exceed and fall short by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tests.sandbox import docker_config

Count = int | str
"""A number of pods, or a percentage of the desired ones."""


@dataclass(frozen=True)
class Strategy:
    """Kubernetes' default unless given: 25% more, rounded up, and 25% fewer, rounded down."""

    recreate: bool = False
    max_surge: Count = "25%"
    max_unavailable: Count = "25%"

    def surge(self, wanted: int) -> int:
        """Return how many pods there may be beyond the desired ones."""
        return _count(self.max_surge, wanted, math.ceil)

    def unavailable(self, wanted: int) -> int:
        """Return how many of the desired pods need not be ready."""
        missing = _count(self.max_unavailable, wanted, math.floor)
        # Neither more nor fewer would be no rollout at all.
        return missing if missing or self.surge(wanted) else 1


ONE_MORE = Strategy(max_surge=1, max_unavailable=0)
"""How native docker hosts replace pods."""


def strategy_of(other_docker_config: str, usual: Strategy) -> Strategy:
    """Return the strategy that a service's settings contain, or the usual one."""
    given = docker_config.pick(docker_config.parse(other_docker_config), "DeploymentStrategy")
    if not isinstance(given, dict):
        return usual
    rolling: dict[str, Any] = docker_config.pick(given, "RollingUpdate") or {}
    surge, missing = (docker_config.pick(rolling, key) for key in ("MaxSurge", "MaxUnavailable"))
    return Strategy(
        docker_config.pick(given, "Type") == "Recreate",
        "25%" if surge is None else surge,
        "25%" if missing is None else missing,
    )


def _count(value: Count, wanted: int, rounded: Any) -> int:
    if isinstance(value, int):
        return value
    return int(rounded(int(value.rstrip("%")) * wanted / 100))
