"""Problems of pods, and how long each must last."""

import pytest

from pipe.kinds.service.problems import (
    AFTER_RETRIES,
    FAULT_ALONE,
    LATER,
    SOON,
    find_problem,
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


def test_a_running_pod_has_no_problem() -> None:
    """Both states are Running and no container waits."""
    assert is_up(pod())
    assert find_problem(pod(), []) is None


@pytest.mark.parametrize("desired", [Phase.DELETE, Phase.STOPPED])
def test_a_terminating_pod_is_not_up(desired: Phase) -> None:
    """Healthy means that both states are Running."""
    assert not is_up(pod(desired=desired))


def test_a_stale_fault_of_a_running_pod_is_not_a_problem() -> None:
    """Faults outlive their cause."""
    assert find_problem(pod(), [fault("Back-off pulling image")]) is None


@pytest.mark.parametrize(
    ("bad_pod", "faults", "grace"),
    [
        (pod(Phase.WAITING, restarts=1, waiting="CrashLoopBackOff"), [], None),
        (pod(Phase.RUNNING, waiting="CrashLoopBackOff"), [], None),
        (pod(Phase.WAITING), ["Back-off restarting failed container"], None),
        (pod(Phase.FAILED), ["Back-off restarting failed container"], LATER),
        (pod(Phase.PENDING), ["Back-off restarting failed container"], None),
        (pod(Phase.FAILED), [], LATER),
        (pod(Phase.IMAGE_NOT_FOUND), [], AFTER_RETRIES),
        (pod(Phase.IMAGE_NOT_FOUND), ["manifest unknown: not found"], SOON),
        (pod(Phase.WAITING, waiting="ErrImagePull", message="i/o timeout"), [], None),
        (pod(Phase.WAITING, waiting="ImagePullBackOff"), [], AFTER_RETRIES),
        (pod(Phase.WAITING, waiting="InvalidImageName"), [], SOON),
        (pod(Phase.WAITING), ["Failed to pull image: 503 Service Unavailable"], None),
        (pod(Phase.PENDING), ["Failed to pull image: not found"], FAULT_ALONE),
        (pod(Phase.PENDING), ["Failed to pull image: TLS handshake timeout"], None),
        (pod(Phase.WAITING, waiting="CreateContainerConfigError"), [], AFTER_RETRIES),
        (
            pod(waiting="CreateContainerConfigError", message='secret "db" not found'),
            [],
            LATER,
        ),
        (
            pod(waiting="CreateContainerConfigError", message="failed to sync secret cache"),
            [],
            AFTER_RETRIES,
        ),
        (pod(Phase.SCHEDULING_FAILED), ["0/3 nodes are available"], None),
        (pod(Phase.PENDING), ["Readiness probe failed"], None),
    ],
)
def test_a_problem_is_final_after_its_grace(bad_pod: Pod, faults: list[str], grace: float) -> None:
    """A problem is final soon, later, after several tries, or never."""
    problem = find_problem(bad_pod, [fault(text) for text in faults])
    assert problem is not None
    assert problem.grace == grace


@pytest.mark.parametrize("phase", [Phase.UNKNOWN, Phase.PENDING, Phase.WAITING, Phase.EVICTED])
def test_a_starting_pod_has_no_problem(phase: Phase) -> None:
    """Without a fault a waiting pod may start, and an evicted pod is replaced."""
    assert find_problem(pod(phase), []) is None


def test_the_most_severe_fault_is_the_cause() -> None:
    """The wire's codes are in no order, severity is."""
    problem = find_problem(
        pod(Phase.PENDING), [fault("slow", severity=1), fault("disk on fire", severity=6)]
    )
    assert problem is not None
    assert problem.cause == "disk on fire"
