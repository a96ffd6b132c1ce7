"""The state of a job, from its conditions first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipe.jobs.judge import (
    CannotStart,
    Ended,
    Gone,
    History,
    JobLook,
    JobState,
    Running,
    Starting,
    Succeeded,
    judge,
)
from pipe.portal import Container, Fault, Phase, Pod
from pipe.portal.faults import decode_faults
from pipe.portal.jobs import Job, JobEnd, decode_job
from pipe.portal.pods import decode_pod
from tests.kubernetes import recordings
from tests.kubernetes.portal_view import VARIANTS, Variant, fault_list, pod_list
from tests.kubernetes.recordings import Recording

JOB = Job("web")


def pod(phase: Phase = Phase.PENDING, **container: object) -> Pod:
    """A pod of the job."""
    inside = replace(Container("web", "app:1"), **container)  # type: ignore[arg-type]
    kind = "kubernetes:batch/v1/Job"
    return Pod("web-x", "web", phase, Phase.RUNNING, "h", "web", kind, (inside,))


def states(recording: Recording, variant: Variant) -> Iterator[tuple[float, JobState]]:
    """Yield the state at every second of a recording, as the portal shows it."""
    history = History(0.0)
    pods: tuple[Pod, ...] = ()
    for second in range(int(recording.length)):
        moment = recording.at(float(second) + 0.1)
        job = decode_job(moment.workload) if moment.workload else None
        listed = pod_list(moment.pods.values(), variant)
        pods = tuple(map(decode_pod, listed)) or pods
        faults = decode_faults(fault_list(moment.events, ["web"], variant))
        state, history = judge(JobLook(float(second), job, pods, faults), history)
        yield second, state


def first(name: str, variant: Variant, *kinds: type[JobState]) -> tuple[float, JobState]:
    """The first of the given states in a recording."""
    found = states(recordings.load(name), variant)
    return next(one for one in found if isinstance(one[1], kinds))


OVER = (Succeeded, Ended, CannotStart, Gone)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("name", ["job-good", "job-ttl"])
def test_a_complete_job_has_succeeded_whatever_the_portal_shows(
    name: str, variant: Variant
) -> None:
    at, state = first(name, variant, *OVER)
    assert isinstance(state, Succeeded)
    assert at <= 4


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_failed_job_is_failed_by_its_condition_and_not_before(variant: Variant) -> None:
    """Kubernetes starts two more pods after the first failure."""
    recording = recordings.load("job-crash")
    at, state = first("job-crash", variant, *OVER)
    assert isinstance(state, Ended)
    assert not state.is_out_of_time
    assert recording.at(at - 1.0).workload["status"].get("conditions") is None
    if variant.states == "current":
        assert state.exit_code == 1


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_job_beyond_its_limit_is_out_of_time(variant: Variant) -> None:
    at, state = first("job-deadline", variant, *OVER)
    assert isinstance(state, Ended)
    assert state.is_out_of_time
    assert at <= 12


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_missing_image_ends_the_wait_where_the_portal_shows_it(variant: Variant) -> None:
    at, state = first("job-no-image", variant, *OVER)
    if variant.states == "current":
        assert at <= 6
    if variant.faults == "pod":
        assert isinstance(state, CannotStart)
        assert "not found" in state.reason
    else:
        assert isinstance(state, (CannotStart, Ended))


def test_a_condition_counts_more_than_a_pod_that_still_runs() -> None:
    done = replace(JOB, end=JobEnd(is_complete=True))
    look = JobLook(1.0, done, (pod(Phase.RUNNING, running=True),))
    assert judge(look, History(0.0))[0] == Succeeded()


def test_a_job_that_is_not_shown_yet_is_starting_and_later_gone() -> None:
    assert judge(JobLook(3.0, None), History(0.0))[0] == Starting()
    assert judge(JobLook(30.0, None), History(0.0))[0] == Gone()


def test_a_job_that_was_seen_is_gone_once_it_stays_away() -> None:
    """A gateway may answer 404 for a moment."""
    history = History(0.0, was_seen=True)
    for second in range(30, 45):
        state, history = judge(JobLook(float(second), None), history)
        assert state == (Gone() if second >= 40 else Running())
    assert judge(JobLook(45.0, JOB), history)[1].missing_since is None


def test_a_fault_alone_does_not_end_a_command_that_runs() -> None:
    """The platform keeps faults, and reports passing ones: no node before the cluster grew."""
    fault = Fault(frozenset({"web-x"}), "FailedScheduling: 0/3 nodes are available", 5)
    history = History(0.0)
    for second in range(120):
        look = JobLook(float(second), JOB, (pod(Phase.RUNNING, running=True),), (fault,))
        state, history = judge(look, history)
        assert state == Running()


@pytest.mark.parametrize("phase", [Phase.SCHEDULING_FAILED, Phase.PENDING])
def test_a_pod_without_a_node_is_waited_for(phase: Phase) -> None:
    fault = Fault(frozenset({"web-x"}), "0/3 nodes are available", 5)
    history = History(0.0)
    for second in range(300):
        state, history = judge(JobLook(float(second), JOB, (pod(phase),), (fault,)), history)
        assert isinstance(state, Starting)
        assert "0/3 nodes are available" in state.stuck


def test_a_quota_that_leaves_no_room_is_named() -> None:
    fault = Fault(frozenset({"web"}), "exceeded quota", 5)
    state, _ = judge(JobLook(9.0, JOB, (), (fault,)), History(0.0))
    assert state == Starting("cannot be created: exceeded quota")


@pytest.mark.parametrize(
    ("message", "seconds"), [('secret "db" not found', 5), ("unknown", 60)], ids=["absent", "other"]
)
def test_a_secret_that_does_not_exist_is_waited_for_a_few_seconds(
    message: str, seconds: float
) -> None:
    history, waiting = History(0.0), "CreateContainerConfigError"
    for second in range(100):
        look = JobLook(float(second), JOB, (pod(Phase.WAITING, waiting=waiting, message=message),))
        state, history = judge(look, history)
        assert isinstance(state, CannotStart) == (second >= seconds)


def test_a_pull_that_may_still_work_is_waited_for() -> None:
    history = History(0.0)
    stuck = pod(Phase.IMAGE_NOT_FOUND, waiting="ErrImagePull", message="connection refused")
    for second in range(300):
        state, history = judge(JobLook(float(second), JOB, (stuck,)), history)
        assert isinstance(state, Starting)


def test_the_container_shows_why_it_ended() -> None:
    failed = replace(JOB, end=JobEnd(is_complete=False, reason="BackoffLimitExceeded"))

    def ended(**container: object) -> JobState:
        return judge(JobLook(1.0, failed, (pod(Phase.FAILED, **container),)), History(0.0))[0]

    assert ended(ended="OOMKilled", exit_code=137) == Ended(
        "BackoffLimitExceeded", 137, is_out_of_memory=True
    )
    assert ended(ended="Error", exit_code=3) == Ended("BackoffLimitExceeded", 3)
    assert ended(ended="StartError", exit_code=128, message='exec: "sh"') == Ended(
        'exec: "sh"', 128, not_started=True
    )
    assert ended() == Ended("BackoffLimitExceeded")
