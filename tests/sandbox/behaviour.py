"""How pods of an image behave, and the states that they go through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Fate = Literal[
    "run",
    "crash",
    "oom",
    "liveness",
    "bad-command",
    "pull-error",
    "pull-error-passing",
    "no-registry",
    "invalid-name",
    "never-ready",
    "unschedulable",
    "failed",
    "evicted",
    "config-error",
    "missing-volume",
]
FATES: tuple[str, ...] = get_args(Fate)

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]
State = dict[str, Any]
"""The state of a container: one of `running`, `waiting` and `terminated`."""

ERROR, WARNING = 2, 3
RUNNING: State = {"running": {}}


@dataclass(frozen=True)
class Behaviour:
    """How the pods of one image behave."""

    fate: Fate = "run"
    seconds: float | None = None
    """Age at which the containers start; None means the world's `rollout_seconds`."""
    log: tuple[str, ...] | list[str] = ()
    ready_after: float = 0.0
    """Seconds from a start that stays up until the readiness probe passes."""
    crashes: int | None = None
    """Number of failed starts after which the container stays up; None means no end."""
    passes_after: float | None = None
    """Age from which an attempt succeeds; None means never. Attempts come with the back-off."""
    pods: int | None = None
    """Number of pods that behave so; later ones run. None means all."""
    up_seconds: float | None = None
    """Seconds that a failing container stays up each time; None means as usual for the fate."""
    backoff: float = 10.0
    """Seconds before the second retry; they double, and the kubelet's own period is in proportion.
    Kubernetes takes 10 s: less is for tests that wait in real time."""
    ready: bool = False
    """Whether a failing pod counts as ready while it is up, as without a probe."""
    exit_code: int = 1
    stop_seconds: float | None = None
    """Seconds until a pod that is deleted is killed because it ignores SIGTERM; None: it heeds."""
    fault: str | None = None
    """Text of the fault in place of the default."""

    def __post_init__(self) -> None:
        if self.fate not in FATES:
            raise ValueError(f"unknown fate {self.fate!r}; one of: {', '.join(FATES)}")

    def succeeds(self, age: float, attempts: int) -> bool:
        """Return whether an attempt at that age succeeds after that many that did not."""
        enough = self.crashes is not None and attempts >= self.crashes
        return enough or (self.passes_after is not None and age >= self.passes_after)


@dataclass(frozen=True)
class Complaint:
    """A warning that a step raises; the text may name {pod}, {container} and {image}."""

    text: str
    severity: int = ERROR


@dataclass(frozen=True)
class Step:
    """The state of a pod from one age until its next step.

    `state`, `last` and `restarts` are those of the container that decides how the pod behaves;
    without a state the kubelet has not looked at the pod yet.
    """

    after: float
    phase: Phase = "Pending"
    state: State = field(default_factory=dict)
    ready: bool = False
    scheduled: bool = True
    started: bool = False
    """Whether the container has been started at least once."""
    restarts: int = 0
    last: State = field(default_factory=dict)
    reason: str = ""
    """Why the pod as a whole has failed, or has no node."""
    message: str = ""
    complaints: tuple[Complaint, ...] = ()
    passed: bool = False
    """Whether a problem is over with this step."""

    @property
    def beginning(self) -> bool:
        """Whether no container of the pod has been tried yet."""
        waiting = self.state.get("waiting", {}).get("reason")
        return not self.state or waiting in ("ContainerCreating", "PodInitializing")


def established() -> Step:
    """Return the state of a pod that has been running for a long time."""
    return Step(0.0, "Running", RUNNING, ready=True, started=True)
