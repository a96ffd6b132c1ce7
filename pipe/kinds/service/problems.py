"""Problems of pods, and how long each must last before the rollout has failed.

Three sources, the best one first: the container states that newer portals show, the pod's phase,
and the platform's faults. Faults outlive their cause, so a fault alone must last longer.
Kubernetes tries again what failed, after 10 s, 20 s, 40 s and so on: only errors that no retry can
resolve end the wait sooner. Crashes are final by their number, which the judge compares.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pipe.kinds.service import pull_errors
from pipe.portal import Container, Fault, Phase, Pod, Termination

_CRASH = re.compile(r"back-?off restarting|crash ?loop|oom-?killed", re.IGNORECASE)
_PROBE = re.compile(r"\bprobe\b", re.IGNORECASE)
_WARNING = 2
"""Severity from which on a fault is more than information."""
_CRASH_REASONS = ("CrashLoopBackOff", "RunContainerError")
_PULL_REASONS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ImageInspectError",
    "ErrImageNeverPull",
    "RegistryUnavailable",
)
_CONFIG_REASONS = (
    "CreateContainerConfigError",
    "CreateContainerError",
    "PreCreateHookError",
    "PostStartHookError",
)
_BAD_REASONS = (*_CRASH_REASONS, *_PULL_REASONS, *_CONFIG_REASONS)
_ABSENT = re.compile(r"not found|does not exist|couldn't find key|no such", re.IGNORECASE)
_PLAIN_ENDS = ("", "Error", "Completed", "ContainerStatusUnknown")
_LOOPS_FROM = 2
"""Crashes from which on a pod is said to keep crashing."""

SOON, LATER, AFTER_RETRIES = 2.0, 5.0, 60.0
"""Seconds until a problem is final; the last one leaves time for three tries of a pull."""
FAULT_ALONE = 12.0


class Category(Enum):
    """What a problem of a pod is about."""

    CRASH = "crash"
    PULL = "pull"
    OTHER = "other"


@dataclass(frozen=True)
class PodProblem:
    """One problem of a pod: the rest of a sentence about it, and its cause in the portal's words.

    `grace` is how many seconds it must last, over at least two looks, to be final. It is None
    for a problem that may pass at any time, such as a failing probe or a missing node. `ends`
    counts how often the container has ended. `is_explained` means that the cause is known, and
    not just that there is a problem.
    """

    summary: str
    cause: str
    grace: float | None
    category: Category = Category.OTHER
    ends: int = 0
    is_explained: bool = True

    def __str__(self) -> str:
        """Return the problem and its cause."""
        return f"{self.summary}: {self.cause}" if self.cause else self.summary

    def is_like(self, other: PodProblem) -> bool:
        """Return whether both are the same problem, seen twice."""
        if self.category is Category.OTHER:
            return self.summary == other.summary
        return self.category is other.category and self.grace == other.grace


def is_up(pod: Pod, *, shows_state: bool = False) -> bool:
    """Return whether a pod serves: Kubernetes shows readiness, the portal only that it runs.

    `shows_state` means that the portal shows the present states of containers. Between a crash
    and the next start, a pod is in phase Running with a terminated container (recorded: up to
    15 s).
    """
    if pod.is_steady or not pod.is_running:
        return pod.is_steady
    if pod.ready is not None:
        return pod.ready
    if any(is_down(one, shows_state=shows_state) for one in pod.containers):
        return False
    return not any(one.waiting in _BAD_REASONS for one in pod.all_containers)


def runs(pod: Pod) -> bool:
    """Return whether all containers of a pod run, ready or not."""
    return pod.is_running and all(one.running for one in pod.containers)


def is_down(container: Container, *, shows_state: bool) -> bool:
    """Return whether a container has ended and was not started again."""
    if container.waiting:
        return container.waiting in _CRASH_REASONS
    return bool(container.ended) and (shows_state or container.restarts == 0)


def find_problem(
    pod: Pod, faults: Sequence[Fault], ends: int = 0, *, shows_state: bool = False
) -> PodProblem | None:
    """Return the worst problem of `pod`, given the new faults that concern it.

    `ends` counts how often its most ended container has ended since the rollout began.
    """
    worst_first = sorted(faults, key=lambda fault: fault.severity, reverse=True) if faults else []
    texts = [fault.text for fault in worst_first]
    for container in pod.all_containers:
        if container.waiting and (problem := _of_waiting(container, texts)):
            return problem
    if pod.phase is Phase.FAILED and not pod.is_waiting:
        return PodProblem("has failed", next(iter(texts), ""), LATER)
    if ends or any(one.waiting in _CRASH_REASONS for one in pod.all_containers):
        return _crash(pod, texts, max(ends, 1))
    if is_up(pod, shows_state=shows_state):
        return None
    if pod.ready is not None:
        return _of_unready(pod, texts)
    return _of_phase(pod, texts) or _of_faults(texts)


def is_crash(fault: Fault) -> bool:
    """Return whether a fault is about a container that keeps ending."""
    return bool(_CRASH.search(fault.text))


def is_failing_probe(fault: Fault) -> bool:
    """Return whether a fault is about a probe that fails, as for a pod that is up but not ready."""
    return fault.severity >= _WARNING and bool(_PROBE.search(fault.text))


def failed(pod: Pod, faults: Sequence[Fault]) -> PodProblem:
    """Return what became of a pod that its controller has replaced."""
    summary = "was evicted" if pod.phase is Phase.EVICTED else "failed, and is being replaced"
    return PodProblem(summary, next((fault.text for fault in faults), ""), None)


def _of_waiting(container: Container, faults: Sequence[str]) -> PodProblem | None:
    reason = container.waiting
    if reason in _PULL_REASONS:
        return _failed_pull([f"{reason} {container.message}", *faults], container.image, reason)
    if reason in _CONFIG_REASONS:
        cause = container.message or next(iter(faults), "")
        grace = LATER if _ABSENT.search(cause) else AFTER_RETRIES
        return PodProblem(f"cannot start ({reason})", cause, grace)
    return None


def _crash(pod: Pod, faults: Sequence[str], ends: int) -> PodProblem:
    """Return the crash of a pod's most restarted container."""
    every = pod.all_containers
    worst = max(
        (one for one in every if one.restarts or one.waiting or one.ended),
        key=lambda one: (one.restarts or 0, bool(one.waiting), bool(one.exit_code)),
        default=None,
    )
    details = []
    cause = _first_crash(faults) or next(iter(faults), "")
    if worst is not None:
        details += _end_of(worst)
        details += [f"container {worst.name}"] if len(every) > 1 else []
        cause = worst.message or cause
    details.append("ended once" if ends == 1 else f"ended {ends} times")
    summary = "keeps crashing" if ends >= _LOOPS_FROM else "has crashed"
    return PodProblem(f"{summary} ({', '.join(details)})", cause, None, Category.CRASH, ends)


def _end_of(container: Container) -> list[str]:
    """Return how a container ended: exit code, signal, and Kubernetes' reason if it has one."""
    last = container.last
    code = container.exit_code if container.exit_code is not None or not last else last.exit_code
    reason = container.ended or (last.reason if last else "")
    words = [] if code is None else [f"exit code {code}"]
    if reason not in _PLAIN_ENDS:
        return [*words, reason]
    return [*words, name] if last and (name := signal_name(last)) else words


def signal_name(end: Termination) -> str:
    """Return the name of the signal that ended a container, empty for none.

    A shell or a runtime reports signal n as exit code 128 + n.
    """
    number = end.signal or (end.exit_code or 0) - 128
    names = {int(one): one.name for one in signal.Signals if one < signal.SIGRTMIN}
    return names.get(number, "")


def _of_phase(pod: Pod, faults: Sequence[str]) -> PodProblem | None:
    crash, pull = _first_crash(faults), [text for text in faults if pull_errors.concerns_pull(text)]
    if pod.phase is Phase.IMAGE_NOT_FOUND:
        return _failed_pull(pull, _image(pod))
    if pod.phase is Phase.WAITING and crash:
        return PodProblem("has crashed", crash, None, Category.CRASH, 1)
    if pod.phase is Phase.WAITING and pull:
        return _failed_pull(pull, _image(pod))
    if pod.phase is Phase.SCHEDULING_FAILED:
        return PodProblem("has no node", next(iter(faults), ""), None)
    return None


def _of_unready(pod: Pod, faults: Sequence[str]) -> PodProblem | None:
    """Return why Kubernetes does not call a pod ready; none of it is final.

    Events outlive their cause, and the states of the containers show whatever is worse.
    """
    cause = next(iter(faults), "")
    if pod.phase is Phase.SCHEDULING_FAILED:
        return PodProblem("has no node", pod.message or cause, None)
    if not cause:
        return None
    probes = (text for text in faults if _PROBE.search(text))
    return PodProblem("is not ready" if runs(pod) else "is not up", next(probes, cause), None)


def _of_faults(faults: Sequence[str]) -> PodProblem | None:
    if crash := _first_crash(faults):
        return PodProblem("has crashed", crash, None, Category.CRASH, 1)
    if pull := [text for text in faults if pull_errors.concerns_pull(text)]:
        return _failed_pull(pull, "", least=FAULT_ALONE)
    return PodProblem("is not up", faults[0], None) if faults else None


def _failed_pull(
    texts: Sequence[str], image: str, reason: str = "", least: float = 0.0
) -> PodProblem:
    """Return the problem of a pull that failed; its cause may be any of several texts."""
    error, cause = pull_errors.explain(texts, image)
    cause = cause.removeprefix(reason).strip() or reason or "the image cannot be pulled"
    match error:
        case pull_errors.PullError.ABSENT:
            grace: float | None = max(SOON, least)
        case pull_errors.PullError.TEMPORARY:
            grace = None
        case _:
            grace = AFTER_RETRIES
    summary = "cannot pull its image" if grace is not None else "cannot pull its image yet"
    is_explained = error is not pull_errors.PullError.UNEXPLAINED
    return PodProblem(summary, cause, grace, Category.PULL, is_explained=is_explained)


def _first_crash(faults: Sequence[str]) -> str:
    return next((text for text in faults if _CRASH.search(text)), "")


def _image(pod: Pod) -> str:
    return next((one.image for one in pod.all_containers), "")
