"""What ails a pod."""

import pytest

from pipe.kinds.service.symptoms import (
    AFTER_A_RETRY,
    AT_ONCE,
    FAULT_ALONE,
    LATER,
    SOON,
    diagnose,
    is_up,
)
from pipe.portal import Container, Fault, Phase, Pod


def pod(phase: Phase = Phase.RUNNING, desired: Phase = Phase.RUNNING, **container: object) -> Pod:
    """A pod with one container."""
    inside = Container("web", "team/web:2", "abc", **container)  # type: ignore[arg-type]
    return Pod("web-1", "web", phase, desired, "host", "web-x", "apps/v1/ReplicaSet", (inside,))


def fault(text: str, severity: int = 3) -> Fault:
    """A fault of that pod."""
    return Fault(frozenset({"web-1"}), text, severity)


def test_a_running_pod_is_fine() -> None:
    """Status 1 on both sides, nothing waiting."""
    assert is_up(pod())
    assert diagnose(pod(), []) is None


@pytest.mark.parametrize("desired", [Phase.DELETE, Phase.STOPPED])
def test_a_pod_that_is_to_go_is_not_up(desired: Phase) -> None:
    """Healthy means that both states are Running."""
    assert not is_up(pod(desired=desired))


def test_a_stale_fault_does_not_ail_a_running_pod() -> None:
    """Faults outlive their cause."""
    assert diagnose(pod(), [fault("Back-off pulling image")]) is None


@pytest.mark.parametrize(
    ("ailing", "faults", "patience"),
    [
        (pod(restarts=2), [], AT_ONCE),
        (pod(Phase.WAITING, restarts=1, waiting="CrashLoopBackOff"), [], SOON),
        (pod(Phase.RUNNING, waiting="CrashLoopBackOff"), [], SOON),
        (pod(Phase.WAITING), ["Back-off restarting failed container"], SOON),
        (pod(Phase.FAILED), ["Back-off restarting failed container"], SOON),
        (pod(Phase.PENDING), ["Back-off restarting failed container"], FAULT_ALONE),
        (pod(Phase.FAILED), [], LATER),
        (pod(Phase.IMAGE_NOT_FOUND), [], LATER),
        (pod(Phase.IMAGE_NOT_FOUND), ["manifest unknown: not found"], SOON),
        (pod(Phase.WAITING, waiting="ErrImagePull", message="i/o timeout"), [], AFTER_A_RETRY),
        (pod(Phase.WAITING, waiting="ImagePullBackOff"), [], LATER),
        (pod(Phase.WAITING, waiting="InvalidImageName"), [], SOON),
        (pod(Phase.WAITING), ["Failed to pull image: 503 Service Unavailable"], AFTER_A_RETRY),
        (pod(Phase.PENDING), ["Failed to pull image: not found"], FAULT_ALONE),
        (pod(Phase.PENDING), ["Failed to pull image: TLS handshake timeout"], AFTER_A_RETRY),
        (pod(Phase.WAITING, waiting="CreateContainerConfigError"), [], LATER),
        (pod(Phase.SCHEDULING_FAILED), ["0/3 nodes are available"], None),
        (pod(Phase.PENDING), ["Readiness probe failed"], None),
    ],
)
def test_how_long_a_symptom_must_last(ailing: Pod, faults: list[str], patience: float) -> None:
    """Hopeless at once, soon, later, after the platform's own retry, or never."""
    symptom = diagnose(ailing, [fault(text) for text in faults])
    assert symptom is not None
    assert symptom.patience == patience


@pytest.mark.parametrize("phase", [Phase.UNKNOWN, Phase.PENDING, Phase.WAITING, Phase.EVICTED])
def test_coming_up_is_no_symptom(phase: Phase) -> None:
    """Without a fault, waiting is only waiting; an evicted pod is replaced."""
    assert diagnose(pod(phase), []) is None


def test_the_gravest_fault_is_shown() -> None:
    """Trap 13: the wire's codes are in no order, severity is."""
    symptom = diagnose(
        pod(Phase.PENDING), [fault("slow", severity=1), fault("disk on fire", severity=6)]
    )
    assert symptom is not None
    assert symptom.why == "disk on fire"


def test_restarts_from_before_the_watch_are_forgiven() -> None:
    """An old pod that crashed last week is no crash loop of today."""
    assert diagnose(pod(restarts=7), [], restarts_before=7) is None
    assert diagnose(pod(restarts=9), [], restarts_before=7) is not None
