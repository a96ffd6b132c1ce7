"""Reading and changing CronJobs; there is no rollout, the next run takes the new image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipe import image
from pipe.clock import Clock, Deadline
from pipe.kinds.driver import Driver
from pipe.kinds.send_once import SendOnce
from pipe.model import MAIN, Change, Snapshot, Target
from pipe.portal import CronJob, TenantPortal
from pipe.rollout import Evidence, PodCounts, Ready, Superseded, TimedOut, Verdict, Waiting, Watcher


class CronJobDriver(Driver):
    """See `Driver`."""

    def __init__(self, portal: TenantPortal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`."""
        jobs = {job.name: job for job in self._portal.cronjobs.list()}
        return {
            target: Snapshot(target, job.images, job.version, job, main=job.main)
            for target in targets
            if (job := jobs.get(target.name))
        }

    def names(self) -> Iterable[str]:
        """See `Driver`."""
        return [job.name for job in self._portal.cronjobs.list()]

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`; what it asks for is all there is."""
        return {snapshot.target: True for snapshot in snapshots}

    def change(self, change: Change) -> None:
        """See `Driver`."""
        job = detail(change.before)

        def arrived() -> bool:
            now = self.read([change.target]).get(change.target)
            return now is not None and _asks(change, detail(now))

        SendOnce(self._clock).send(
            str(change.target),
            lambda: self._portal.cronjobs.change_images(job, change.images),
            arrived,
        )

    def watch(self, changes: Sequence[Change], stable_seconds: float) -> CronJobWatcher:
        """See `Driver`; a job without pods has nothing to stay up."""
        del stable_seconds
        return CronJobWatcher(self._portal, self._clock, changes)


class CronJobWatcher(Watcher):
    """See `Watcher`; one list tells everything, and once it does nobody has to ask again."""

    def __init__(self, portal: TenantPortal, clock: Clock, changes: Sequence[Change]) -> None:
        self._portal = portal
        self._clock = clock
        self._changes = changes
        self._seen = {change.target: detail(change.before) for change in changes}
        self._verdicts: Mapping[Target, Verdict] = {}

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        done = [isinstance(verdict, Ready) for verdict in self._verdicts.values()]
        if not done or not all(done):
            jobs = {job.name: job for job in self._portal.until(deadline).cronjobs.list()}
            for target in self._seen:
                self._seen[target] = jobs.get(target.name, self._seen[target])
            late = self._clock.monotonic() >= deadline.at
            self._verdicts = {
                change.target: judge(change, self._seen[change.target], late=late)
                for change in self._changes
            }
        return self._verdicts

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        job = self._seen[target]
        return f"asks for {job.images.get(MAIN, '')} from its next run on ({job.schedule})"

    def evidence(self, target: Target, verdict: Verdict) -> Evidence:
        """See `Watcher`; there is none besides the verdict."""
        del verdict
        return Evidence(target)

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`; there are no pods to count."""
        del target
        return ()


def judge(change: Change, now: CronJob, *, late: bool) -> Verdict:
    """Whether the job asks for what it is to run."""
    if _asks(change, now):
        return Ready(f"its next run takes the new image (schedule {now.schedule})")
    for name, wanted in change.images.items():
        shown = now.images.get(name, "")
        before = change.before.images.get(name, "")
        if not image.same(wanted, shown) and not image.same(before, shown):
            return Superseded(shown or "nothing")
    waiting = "the portal still shows the image from before"
    return TimedOut(waiting) if late else Waiting(waiting)


def detail(snapshot: Snapshot) -> CronJob:
    """The part of a CronJob's snapshot that only this kind can read."""
    if not isinstance(snapshot.detail, CronJob):
        raise TypeError(snapshot)
    return snapshot.detail


def _asks(change: Change, job: CronJob) -> bool:
    return all(image.same(new, job.images.get(name, "")) for name, new in change.images.items())
