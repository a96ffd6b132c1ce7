"""How a job goes: decided by its conditions, and by its pods only as long as it has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipe.kinds.service.problems import Category, PodProblem, find_problem
from pipe.portal import Container, Fault, Phase, Pod
from pipe.portal.jobs import Job

OUT_OF_TIME = "DeadlineExceeded"
"""The reason of a job that Kubernetes ended at its time limit."""
_OUT_OF_MEMORY = "OOMKilled"
_NOT_STARTED = ("StartError", "ContainerCannotRun")
_UNSEEN_SECONDS = 15.0
"""How long a job may stay invisible after the portal created it."""
_GONE_SECONDS = 10.0
"""How long a job that was seen must be missing: not every list is up to date."""
_LOOKS = 2


@dataclass(frozen=True)
class JobLook:
    """What one look at a job found at a moment on the monotonic clock.

    `job` is None where the portal's list of jobs lacks it; `pods` and `faults` are as recent as the
    looks that read them.
    """

    at: float
    job: Job | None
    pods: tuple[Pod, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class History:
    """What earlier looks found.

    `created_at` is when this run began to follow the job. `problem` is what its pod has had since
    a moment, over a number of looks. `missing_since` is when the portal stopped showing the job.
    """

    created_at: float
    was_seen: bool = False
    problem: PodProblem | None = None
    since: float = 0.0
    looks: int = 0
    missing_since: float | None = None


@dataclass(frozen=True)
class Starting:
    """No container runs yet; `stuck` is the reason, where one is known."""

    stuck: str = ""


@dataclass(frozen=True)
class Running:
    """The command runs, or has ended and the job does not show it yet."""


@dataclass(frozen=True)
class Succeeded:
    """The job is complete."""


@dataclass(frozen=True)
class Ended:
    """The job failed; the rest is empty or None where nothing shows it.

    `not_started` means that the container had no such program.
    """

    reason: str
    exit_code: int | None = None
    is_out_of_memory: bool = False
    is_out_of_time: bool = False
    not_started: bool = False


@dataclass(frozen=True)
class CannotStart:
    """Kubernetes keeps trying to start the pod, in vain."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """The job does not exist any more, or never came to exist."""


JobState = Starting | Running | Succeeded | Ended | CannotStart | Gone


def judge(look: JobLook, history: History) -> tuple[JobState, History]:
    """Return the state of a job, and what the next look has to know."""
    if look.job is None:
        return _missing(look, history)
    history = replace(history, was_seen=True, missing_since=None)
    if look.job.end is not None:
        return _ended(look.job, look.pods), history
    if any(_has_started(pod) for pod in look.pods):
        return Running(), replace(history, problem=None)
    problem = next(_problems(look), None)
    if problem is None:
        return Starting(), replace(history, problem=None)
    history = _with_problem(history, problem, look.at)
    lasted = look.at - history.since
    if problem.grace is not None and lasted >= problem.grace and history.looks >= _LOOKS:
        return CannotStart(str(problem)), history
    return Starting(str(problem)), history


def _missing(look: JobLook, history: History) -> tuple[JobState, History]:
    if not history.was_seen:
        is_late = look.at - history.created_at >= _UNSEEN_SECONDS
        return (Gone() if is_late else Starting()), history
    since = look.at if history.missing_since is None else history.missing_since
    state = Gone() if look.at - since >= _GONE_SECONDS else Running()
    return state, replace(history, missing_since=since)


def _ended(job: Job, pods: Sequence[Pod]) -> JobState:
    """Return the state of a job that has a condition of its end."""
    if job.end is None or job.end.is_complete:
        return Succeeded()
    words = ": ".join(filter(None, (job.end.reason, job.end.message)))
    return explained(Ended(words, is_out_of_time=job.end.reason == OUT_OF_TIME), pods)


def explained(ended: Ended, pods: Iterable[Pod]) -> Ended:
    """Return how a job ended with what its pods show of it."""
    terminated = next((one for pod in pods for one in pod.containers if one.ended), None)
    if terminated is None:
        return ended
    return Ended(
        terminated.message or ended.reason,
        exit_code=terminated.exit_code,
        is_out_of_memory=terminated.ended == _OUT_OF_MEMORY,
        is_out_of_time=ended.is_out_of_time,
        not_started=terminated.ended in _NOT_STARTED,
    )


def _with_problem(history: History, problem: PodProblem, at: float) -> History:
    if history.problem is not None and history.problem.is_like(problem):
        return replace(history, problem=problem, looks=history.looks + 1)
    return replace(history, problem=problem, since=at, looks=1)


def _problems(look: JobLook) -> Iterator[PodProblem]:
    """Return what keeps pods from starting; one that ended is for the job's conditions to judge."""
    for pod in look.pods:
        faults = [fault for fault in look.faults if pod.name in fault.resources]
        problem = find_problem(pod, faults, shows_state=True)
        if problem and problem.category is not Category.CRASH and pod.phase is not Phase.FAILED:
            yield problem
    if not look.pods:
        name = look.job.name if look.job else ""
        for fault in look.faults:
            if name in fault.resources:
                yield PodProblem("cannot be created", fault.text, None)


def _has_started(pod: Pod) -> bool:
    return any(_has_run(one) for one in pod.containers) or pod.is_running


def _has_run(container: Container) -> bool:
    return container.running or bool(container.ended)
