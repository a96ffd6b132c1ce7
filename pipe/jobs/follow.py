"""Follow one job to its end: how it goes, and its log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipe.clock import Clock, Deadline
from pipe.errors import IdentityError, PipeError, PlatformError
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
    explained,
    judge,
)
from pipe.jobs.log import LogStream
from pipe.jobs.progress import JobProgress
from pipe.portal import Fault, Pod, TenantPortal
from pipe.portal.jobs import Jobs

_PAUSE, _LATER_PAUSE = 0.5, 1.0
_SOON = 60.0
"""Seconds in which looks follow one another as fast as they may."""
_PODS_SECONDS = 15.0
"""Between reads of the tenant's pods, once the container to read is known."""
_PODS_TIMEOUT = 15.0
_FAULTS_SECONDS = 10.0
_LOG_SECONDS = 5.0
_PATIENCE = 60.0
"""Seconds for which refusals are taken for passing ones."""
_BEYOND = 10.0
"""Seconds past the time limit in which Kubernetes ends the job by itself."""


PodsInside = Callable[[str], Sequence[Pod]]
"""Returns the pods of a job as Kubernetes itself shows them, none where it cannot be asked."""


@dataclass
class Follower:
    """Looks at the job called `name` until it ends; its log goes to `stream`.

    `container` is the name of the container whose log counts. `seconds` is the time limit. The
    success of a `once` command must not be missed. `pods_inside` finds the pods of an ended job
    that the portal does not list any more. `has_started` and `stuck` show whether the
    command ran, and what kept it from starting.
    """

    portal: TenantPortal
    clock: Clock
    name: str
    container: str
    setting: str
    seconds: float
    stream: LogStream
    once: bool = False
    pods_inside: PodsInside | None = None
    has_started: bool = False
    stuck: str = ""
    _pod: Pod | None = None
    _docker_id: str = ""
    _pods: tuple[Pod, ...] = ()
    _pods_at: float | None = None
    _faults: tuple[Fault, ...] = ()
    _faults_at: float = 0.0
    _refused_since: float | None = None
    _progress: JobProgress = field(init=False)

    def to_end(self) -> JobState:
        """Return how the job ended, `Running` or `Starting` if it did not within the limit.

        Raises the last `PlatformError` if it cannot be seen.
        """
        state = self._followed()
        self._read_rest()
        if isinstance(state, Ended) and state.exit_code is None and self.stream.status is None:
            state = explained(state, self.pods_inside(self.name) if self.pods_inside else ())
        # The shell has reported success, and the pause after it went beyond the limit or was cut
        # short by a deletion.
        is_cut_short = isinstance(state, (Starting, Running, Gone)) or (
            isinstance(state, Ended) and state.is_out_of_time
        )
        return Succeeded() if is_cut_short and self.stream.status == 0 else state

    def has_succeeded(self, portal: TenantPortal) -> bool | None:
        """Return whether the command has succeeded by now, None where that cannot be read."""
        self._read_log(insist=True)
        if self.stream.status is not None:
            return self.stream.status == 0
        try:
            job = Jobs(portal.scope).find(self.name)
        except PipeError:
            return None
        return job is not None and job.end is not None and job.end.is_complete

    def _followed(self) -> JobState:
        started = self._faults_at = self.clock.monotonic()
        self._progress = JobProgress(self.clock, self.setting, self.name, started)
        deadline = Deadline(self.clock, started + self.seconds + _BEYOND)
        history = History(started)
        while True:
            try:
                state, history = judge(self._look(deadline), history)
            except (PlatformError, IdentityError) as error:
                self._after_failure(error, deadline)
            else:
                self._refused_since = None
                self._note(state)
                self._read_log()
                self._progress.report(state, self.stream.written)
                if isinstance(state, (Succeeded, Ended, CannotStart, Gone)) or deadline.passed():
                    return state
            now = self.clock.monotonic()
            pause = _PAUSE if now - started < _SOON else _LATER_PAUSE
            self.clock.sleep(min(pause, max(0.1, deadline.left())))

    def _look(self, deadline: Deadline) -> JobLook:
        portal = self.portal.until(deadline)
        jobs, now = Jobs(portal.scope), self.clock.monotonic()
        job = jobs.find(self.name)
        ended = job is not None and job.end is not None
        if self._needs_pods(now, ended=ended):
            self._pods_at = now
            self._read_pods(portal)
        if not self._docker_id and now - self._faults_at >= _FAULTS_SECONDS:
            self._faults_at = now
            self._faults = portal.faults.list() or ()
        return JobLook(self.clock.monotonic(), job, self._pods, self._faults)

    def _read_pods(self, portal: TenantPortal) -> None:
        """Read the pods, which only lead to the log: without them the job can still be judged."""
        try:
            pods = Jobs(portal.within(_PODS_TIMEOUT).scope).pods(self.name)
        except PlatformError:
            return
        # What has been seen of a pod stays known when the portal stops listing it.
        self._pods = pods or self._pods
        self._choose_container()

    def _needs_pods(self, now: float, *, ended: bool) -> bool:
        if ended or not self._docker_id or self._pods_at is None:
            return True
        return now - self._pods_at >= _PODS_SECONDS

    def _choose_container(self) -> None:
        """Take the newest container that has an id, which it gets when it starts."""
        for pod in self._pods:
            named = [one for one in pod.containers if one.name == self.container]
            for one in named or pod.containers[:1]:
                if one.docker_id and pod.host:
                    self._pod, self._docker_id = pod, one.docker_id

    def _read_log(self, *, insist: bool = False) -> bool:
        pod = self._pod
        if pod is None:
            return False
        jobs = Jobs(self.portal.within(_LOG_SECONDS).scope)
        return self.stream.poll(
            lambda docker_id, lines: jobs.log(pod, docker_id, lines),
            self._docker_id,
            insist=insist,
        )

    def _read_rest(self) -> None:
        """Read the log of an ended job once more, and note what may be missing."""
        if self.stream.status is None:
            was_read = self._read_log(insist=True)
            if not self.stream.was_read:
                self.stream.note("the log could not be read: the portal no longer shows the pod")
            elif not was_read:
                self.stream.note("the last lines may be missing: the portal no longer shows them")
        self.stream.close()

    def _note(self, state: JobState) -> None:
        if isinstance(state, Starting):
            self.stuck = state.stuck
        self.has_started |= isinstance(state, Running)

    def _after_failure(self, error: PlatformError | IdentityError, deadline: Deadline) -> None:
        """Log that a look failed; raise the error if no other look is worth while."""
        now = self.clock.monotonic()
        if error.retryable:
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        is_refused = self._refused_since is not None and now - self._refused_since >= _PATIENCE
        if deadline.passed() or is_refused:
            raise error
        self._progress.warn(f"{error} Checking the job {self.name} again.")
