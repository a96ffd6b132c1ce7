"""What ails a pod, and how long that must last before nobody needs to wait any more.

Three sources, best first: the container states newer portals show, the pod's own phase, and
the platform's faults. Faults outlive their cause, so a fault alone is believed more slowly.
Kubernetes tries a failed pull again after ten seconds: only errors that no repetition mends
end the wait sooner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipe.kinds.service.generation import containers
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
_PASSING = re.compile(
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
_TROUBLE = (*_CRASH_REASONS, *_PULL_REASONS, *_CONFIG_REASONS)
_LOOP = 2
"""Restarts after which a crash is a loop and no accident."""

AT_ONCE, SOON, LATER, AFTER_A_RETRY = 0.0, 2.0, 5.0, 30.0
FAULT_ALONE = 12.0


@dataclass(frozen=True)
class Symptom:
    """One thing wrong with a pod.

    `patience` is how many seconds it must last, over at least two looks, to be hopeless;
    None when it may always pass, as a failing probe or a missing host may.
    """

    what: str
    why: str
    patience: float | None


def is_up(pod: Pod) -> bool:
    """Whether a pod runs as far as the portal can tell; readiness it does not tell."""
    if not pod.is_waiting:
        return pod.is_running
    return pod.is_running and not any(entry.waiting in _TROUBLE for entry in pod.containers)


def is_calm(pod: Pod) -> bool:
    """Whether nothing about a pod is worth a second look, as long as no fault concerns it."""
    return pod.is_running and not pod.is_waiting and pod.restarts < _LOOP


def diagnose(pod: Pod, faults: Sequence[Fault], restarts_before: int = 0) -> Symptom | None:
    """The worst thing wrong with `pod`, given the fresh faults that concern it.

    `restarts_before` are those it had already had when the watch began.
    """
    worst_first = sorted(faults, key=lambda fault: fault.severity, reverse=True) if faults else []
    words = worst_first[0].text if worst_first else ""
    for container in containers(pod):
        if not container.waiting and (container.restarts or 0) - restarts_before < _LOOP:
            continue
        if symptom := _of_container(container, words, restarts_before):
            return symptom
    if is_up(pod):
        return None
    return _of_phase(pod, worst_first) or _of_faults(worst_first)


def _of_container(container: Container, words: str, restarts_before: int) -> Symptom | None:
    again = (container.restarts or 0) - restarts_before
    reason, why = container.waiting, container.message or words
    if reason in _CRASH_REASONS or again >= _LOOP:
        code = "" if container.exit_code is None else f"exit code {container.exit_code}, "
        times = "1 restart" if again == 1 else f"{max(again, 0)} restarts"
        patience = AT_ONCE if again >= _LOOP else SOON
        return Symptom(f"keeps crashing ({code}{times})", why, patience)
    if reason in _PULL_REASONS:
        return _pull(why or reason, f"{reason} {why} {words}")
    if reason in _CONFIG_REASONS:
        return Symptom(f"cannot be started ({reason})", why, LATER)
    return None


def _of_phase(pod: Pod, faults: Sequence[Fault]) -> Symptom | None:
    pull, crash = _about(faults, _PULL), _about(faults, _CRASH)
    if pod.phase is Phase.IMAGE_NOT_FOUND:
        return _pull(pull or "the image cannot be pulled", pull)
    if pod.phase in (Phase.WAITING, Phase.FAILED) and crash:
        return Symptom("keeps crashing", crash, SOON)
    if pod.phase is Phase.WAITING and pull:
        return _pull(pull, pull)
    if pod.phase is Phase.FAILED:
        return Symptom("has failed", faults[0].text if faults else "", LATER)
    if pod.phase is Phase.SCHEDULING_FAILED:
        return Symptom("finds no host", faults[0].text if faults else "", None)
    return None


def _of_faults(faults: Sequence[Fault]) -> Symptom | None:
    if crash := _about(faults, _CRASH):
        return Symptom("keeps crashing", crash, FAULT_ALONE)
    if pull := _about(faults, _PULL):
        found = _pull(pull, pull)
        return Symptom(found.what, found.why, max(found.patience or 0.0, FAULT_ALONE))
    return Symptom("does not come up", faults[0].text, None) if faults else None


def _pull(why: str, words: str) -> Symptom:
    if _ABSENT.search(words):
        return Symptom("cannot pull its image", why, SOON)
    if _PASSING.search(words):
        return Symptom("cannot pull its image yet", why, AFTER_A_RETRY)
    return Symptom("cannot pull its image", why, LATER)


def _about(faults: Sequence[Fault], pattern: re.Pattern[str]) -> str:
    return next((fault.text for fault in faults if pattern.search(fault.text)), "")
