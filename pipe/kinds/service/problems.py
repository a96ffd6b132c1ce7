"""Problems of pods, and how long each must last before the rollout has failed.

Three sources, the best one first: the container states that newer portals show, the pod's phase,
and the platform's faults. Faults outlive their cause, so a fault alone must last longer.
Kubernetes retries a failed pull after ten seconds: only errors that no retry can resolve end the
wait sooner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipe.kinds.service.pods import containers
from pipe.portal import Container, Fault, Phase, Pod

_CRASH = re.compile(r"back-?off restarting|crash ?loop|oom-?killed", re.IGNORECASE)
_PULL = re.compile(
    r"pull|errimage|invalidimagename|image .*not (be )?found|manifest", re.IGNORECASE
)
_ABSENT = re.compile(
    r"not found|manifest unknown|does not exist|no such image|invalid(imagename| reference)|"
    r"no (match|matching manifest)|repository name must",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(
    r"time-?d? ?out|timeout|temporar|too ?many ?requests|rate limit|connection re(set|fused)|"
    r"\beof\b|unavailable|no such host|\b(429|50[0-4])\b",
    re.IGNORECASE,
)
_CRASH_REASONS = ("CrashLoopBackOff",)
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
    "RunContainerError",
    "PreCreateHookError",
    "PostStartHookError",
)
_BAD_REASONS = (*_CRASH_REASONS, *_PULL_REASONS, *_CONFIG_REASONS)
_CRASH_LOOP = 2
"""Restarts from which on a crash is not an accident but a loop."""
_KEEPS_CRASHING = "keeps crashing"

AT_ONCE, SOON, LATER, AFTER_A_RETRY = 0.0, 2.0, 5.0, 30.0
FAULT_ALONE = 12.0


@dataclass(frozen=True)
class PodProblem:
    """One problem of a pod: the rest of a sentence about it, and its cause in the portal's words.

    `grace` is how many seconds it must last, over at least two looks, to be final. It is None
    for a problem that may pass at any time, such as a failing probe or a missing node.
    """

    summary: str
    cause: str
    grace: float | None

    def __str__(self) -> str:
        """Return the problem and its cause."""
        return f"{self.summary}: {self.cause}" if self.cause else self.summary

    @property
    def is_crash(self) -> bool:
        """Whether the pod crashes again and again, and may be up in between."""
        return self.summary.startswith(_KEEPS_CRASHING)

    def is_like(self, other: PodProblem) -> bool:
        """Return whether both are the same but for what is in brackets."""
        return self.summary.split("(")[0].strip() == other.summary.split("(")[0].strip()


def is_up(pod: Pod) -> bool:
    """Return whether a pod runs, as far as the portal shows it: it does not show readiness."""
    if not pod.is_waiting:
        return pod.is_running
    return pod.is_running and not any(entry.waiting in _BAD_REASONS for entry in pod.containers)


def is_healthy(pod: Pod) -> bool:
    """Return whether a pod has no problem, whatever the faults: those outlive their cause."""
    return pod.is_running and not pod.is_waiting and pod.restarts < _CRASH_LOOP


def find_problem(pod: Pod, faults: Sequence[Fault], restarts_before: int = 0) -> PodProblem | None:
    """Return the worst problem of `pod`, given the new faults that concern it.

    `restarts_before` is the pod's restart count from before the rollout.
    """
    worst_first = sorted(faults, key=lambda fault: fault.severity, reverse=True) if faults else []
    fault = worst_first[0].text if worst_first else ""
    for container in containers(pod):
        restarts = (container.restarts or 0) - restarts_before
        if not container.waiting and restarts < _CRASH_LOOP:
            continue
        if problem := _of_container(container, fault, restarts):
            return problem
    if is_up(pod):
        return None
    return _of_phase(pod, worst_first) or _of_faults(worst_first)


def _of_container(container: Container, fault: str, restarts: int) -> PodProblem | None:
    reason, cause = container.waiting, container.message or fault
    if reason in _CRASH_REASONS or restarts >= _CRASH_LOOP:
        code = "" if container.exit_code is None else f"exit code {container.exit_code}, "
        times = "1 restart" if restarts == 1 else f"{max(restarts, 0)} restarts"
        grace = AT_ONCE if restarts >= _CRASH_LOOP else SOON
        return PodProblem(f"{_KEEPS_CRASHING} ({code}{times})", cause, grace)
    if reason in _PULL_REASONS:
        return _failed_pull(cause or reason, f"{reason} {cause} {fault}")
    if reason in _CONFIG_REASONS:
        return PodProblem(f"cannot start ({reason})", cause, LATER)
    return None


def _of_phase(pod: Pod, faults: Sequence[Fault]) -> PodProblem | None:
    pull, crash = _first_match(faults, _PULL), _first_match(faults, _CRASH)
    worst = faults[0].text if faults else ""
    if pod.phase is Phase.IMAGE_NOT_FOUND:
        return _failed_pull(pull or "the image cannot be pulled", pull)
    if pod.phase in (Phase.WAITING, Phase.FAILED) and crash:
        return PodProblem(_KEEPS_CRASHING, crash, SOON)
    if pod.phase is Phase.WAITING and pull:
        return _failed_pull(pull, pull)
    if pod.phase is Phase.FAILED:
        return PodProblem("has failed", worst, LATER)
    if pod.phase is Phase.SCHEDULING_FAILED:
        return PodProblem("has no node", worst, None)
    return None


def _of_faults(faults: Sequence[Fault]) -> PodProblem | None:
    if crash := _first_match(faults, _CRASH):
        return PodProblem(_KEEPS_CRASHING, crash, FAULT_ALONE)
    if pull := _first_match(faults, _PULL):
        problem = _failed_pull(pull, pull)
        return PodProblem(problem.summary, problem.cause, max(problem.grace or 0.0, FAULT_ALONE))
    return PodProblem("is not up", faults[0].text, None) if faults else None


def _failed_pull(cause: str, words: str) -> PodProblem:
    """Return the problem of a pull that failed; its grace depends on the error's `words`."""
    if _ABSENT.search(words):
        return PodProblem("cannot pull its image", cause, SOON)
    if _TEMPORARY.search(words):
        return PodProblem("cannot pull its image yet", cause, AFTER_A_RETRY)
    return PodProblem("cannot pull its image", cause, LATER)


def _first_match(faults: Sequence[Fault], pattern: re.Pattern[str]) -> str:
    return next((fault.text for fault in faults if pattern.search(fault.text)), "")
