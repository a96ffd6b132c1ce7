"""How pods of an image behave, as steps over their age."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Fate = Literal[
    "run",
    "crash",
    "pull-error",
    "pull-error-passing",
    "never-ready",
    "unschedulable",
    "failed",
    "evicted",
    "config-error",
]
FATES: tuple[str, ...] = get_args(Fate)

RUNNING, PENDING, WAITING, DELETE = 1, 3, 4, 5
FAILED, SCHEDULING_FAILED, IMAGE_NOT_FOUND, EVICTED = 7, 8, 9, 10
ERROR, WARNING = 2, 3
LONGEST_BACKOFF = 300.0


@dataclass(frozen=True)
class Behaviour:
    """How the pods of one image behave."""

    fate: Fate = "run"
    seconds: float | None = None
    """Age at which the containers start; None means the world's `rollout_seconds`."""
    log: tuple[str, ...] | list[str] = ()
    passes_after: float | None = None
    """Age at which the problem is over and the pod runs; None means never."""
    up_seconds: float = 1.0
    """Seconds that a crashing container stays up each time."""
    backoff: float = 10.0
    """Seconds before the first retry; they double from retry to retry."""
    ready: bool = False
    """Whether a crashing pod counts as available while it is up, as without a probe."""
    exit_code: int = 1
    fault: str | None = None
    """Text of the fault in place of the default."""

    def __post_init__(self) -> None:
        if self.fate not in FATES:
            raise ValueError(f"unknown fate {self.fate!r}; one of: {', '.join(FATES)}")


@dataclass(frozen=True)
class Complaint:
    """A fault that a step raises; the text may name {pod}, {container} and {image}."""

    text: str
    severity: int = ERROR


@dataclass(frozen=True)
class Step:
    """The state of a pod from one age until its next step."""

    after: float
    status: int
    ready: bool = False
    scheduled: bool = True
    started: bool = False
    restarts: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    complaint: Complaint | None = None
    passed: bool = False


def established() -> Step:
    """Return the state of a pod that has been running for a long time."""
    return Step(0.0, RUNNING, ready=True, started=True, state={"running": {}})


def timeline(behaviour: Behaviour, rollout_seconds: float) -> Iterator[Step]:
    """Yield the steps of a pod's life, possibly without end."""
    start = rollout_seconds if behaviour.seconds is None else behaviour.seconds
    passes = behaviour.passes_after
    if passes is None and behaviour.fate == "pull-error-passing":
        passes = start + 4.0
    restarts = 0
    for step in _LIVES[behaviour.fate](behaviour, start):
        if passes is not None and step.after >= passes and behaviour.fate != "run":
            break
        restarts = step.restarts
        yield step
    if passes is not None and behaviour.fate != "run":
        yield Step(
            passes,
            RUNNING,
            ready=True,
            started=True,
            restarts=restarts,
            state={"running": {}},
            passed=True,
        )


def _waiting(reason: str, message: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def _beginning(start: float) -> Iterator[Step]:
    yield Step(0.0, PENDING, scheduled=False, state=_waiting("Pending", ""))
    yield Step(start * 0.2, PENDING, state=_waiting("ContainerCreating", ""))


def _pauses(first: float) -> Iterator[float]:
    pause = first
    while True:
        yield min(pause, LONGEST_BACKOFF)
        pause *= 2


def _run(_: Behaviour, start: float) -> Iterator[Step]:
    yield from _beginning(start)
    yield Step(start, RUNNING, ready=True, started=True, state={"running": {}})


def _crash(behaviour: Behaviour, start: float) -> Iterator[Step]:
    yield from _beginning(start)
    dead = {"terminated": {"exitCode": behaviour.exit_code, "reason": "Error"}}
    text = behaviour.fault or "Back-off restarting failed container {container} in pod {pod}"
    age, restarts = start, 0
    for pause in _pauses(behaviour.backoff):
        # The first restart follows at once; only then does the platform begin to back off.
        for lives in range(2 if restarts == 0 else 1):
            state = dead if restarts or lives else {"running": {}}
            yield Step(
                age,
                RUNNING,
                ready=behaviour.ready,
                started=True,
                restarts=restarts + lives,
                state=state,
            )
            age += behaviour.up_seconds
        restarts += 1
        yield Step(
            age,
            WAITING,
            started=True,
            restarts=restarts,
            state=_waiting("CrashLoopBackOff", f"back-off {pause:g}s restarting failed container"),
            complaint=Complaint(text),
        )
        age += pause
        restarts += 1


def _pull_error(behaviour: Behaviour, start: float) -> Iterator[Step]:
    age = min(1.0, start)
    yield from _beginning(age)
    refused = behaviour.fault or 'Failed to pull image "{image}": not found'
    backing = behaviour.fault or 'Back-off pulling image "{image}"'
    for pause in _pauses(behaviour.backoff):
        yield Step(
            age,
            IMAGE_NOT_FOUND,
            state=_waiting("ErrImagePull", "manifest unknown"),
            complaint=Complaint(refused),
        )
        age += 2.0
        yield Step(
            age,
            WAITING,
            state=_waiting("ImagePullBackOff", "Back-off pulling image"),
            complaint=Complaint(backing),
        )
        age += pause


def _never_ready(behaviour: Behaviour, start: float) -> Iterator[Step]:
    yield from _beginning(start)
    text = behaviour.fault or "Readiness probe failed: HTTP probe failed with statuscode: 503"
    yield Step(
        start, PENDING, started=True, state={"running": {}}, complaint=Complaint(text, WARNING)
    )


def _unschedulable(behaviour: Behaviour, start: float) -> Iterator[Step]:
    pending = _waiting("Pending", "")
    yield Step(0.0, PENDING, scheduled=False, state=pending)
    text = behaviour.fault or "0/3 nodes are available: 3 Insufficient memory."
    yield Step(
        min(1.0, start),
        SCHEDULING_FAILED,
        scheduled=False,
        state=pending,
        complaint=Complaint(text),
    )


def _failed(behaviour: Behaviour, start: float) -> Iterator[Step]:
    yield from _ended(behaviour, start, FAILED, "Pod {pod} failed: container {container} exited")


def _evicted(behaviour: Behaviour, start: float) -> Iterator[Step]:
    yield from _ended(behaviour, start, EVICTED, "Pod {pod} was evicted: node is low on memory")


def _ended(behaviour: Behaviour, start: float, status: int, text: str) -> Iterator[Step]:
    yield from _beginning(start)
    yield Step(start, RUNNING, ready=behaviour.ready, started=True, state={"running": {}})
    yield Step(
        start + behaviour.up_seconds,
        status,
        started=True,
        state={"terminated": {"exitCode": behaviour.exit_code, "reason": "Error"}},
        complaint=Complaint(behaviour.fault or text),
    )


def _config_error(behaviour: Behaviour, start: float) -> Iterator[Step]:
    yield from _beginning(start)
    text = behaviour.fault or 'Error: secret "db-password" not found'
    yield Step(
        start,
        WAITING,
        state=_waiting("CreateContainerConfigError", text),
        complaint=Complaint(text),
    )


_LIVES: dict[str, Callable[[Behaviour, float], Iterator[Step]]] = {
    "run": _run,
    "crash": _crash,
    "pull-error": _pull_error,
    "pull-error-passing": _pull_error,
    "never-ready": _never_ready,
    "unschedulable": _unschedulable,
    "failed": _failed,
    "evicted": _evicted,
    "config-error": _config_error,
}
