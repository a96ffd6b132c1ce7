"""CronJobs: changed at once, without a rollout; their next run uses the new image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from pipe import image
from pipe.clock import Clock
from pipe.configuration import ENVIRONMENT, Present, is_in_place
from pipe.errors import Conflict, Refused
from pipe.kinds.driver import Driver
from pipe.kinds.resource_watcher import ResourceWatcher
from pipe.kinds.send_once import SendOnce
from pipe.model import Change, Snapshot, Target, Update
from pipe.portal import CronJob, TenantPortal
from pipe.portal.cronjobs import environments, replacement, restored
from pipe.rollout import Ready, Superseded, Verdict, Waiting


class CronJobDriver(Driver):
    """Reads and changes CronJobs."""

    def __init__(self, portal: TenantPortal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`."""
        jobs = {job.name: job for job in self._portal.cronjobs.list()}
        return {
            target: Snapshot(
                target, job.images, job.version, job, main=job.main, present=present(job)
            )
            for target in targets
            if (job := jobs.get(target.name))
        }

    def names(self) -> Iterable[str]:
        """See `Driver`."""
        return [job.name for job in self._portal.cronjobs.list()]

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`; always true, because there is no rollout."""
        return {snapshot.target: True for snapshot in snapshots}

    def change(self, change: Change) -> None:
        """See `Driver`; what is sent again is built from the job as it is by then."""
        attempts = count()

        def send() -> None:
            job = self._latest(change) if next(attempts) else detail(change.before)
            self._portal.cronjobs.replace(job, _body(job, change))

        def has_arrived() -> bool:
            now = self.read([change.target]).get(change.target)
            return now is not None and is_set_to(change, detail(now))

        SendOnce(self._clock).send(str(change.target), send, has_arrived)

    def _latest(self, change: Change) -> CronJob:
        """Return the job as it is now; raise `Conflict` if another deployment changed it."""
        now = self.read([change.target]).get(change.target)
        if now is None or now.version != change.before.version:
            raise Conflict(
                f"Another deployment changed {change.target} just before this run's change, "
                "which was not made.",
                "Find out who deploys it, then run the step again.",
            )
        return detail(now)

    def watch(
        self, changes: Sequence[Change], stable_seconds: float, crash_limit: int
    ) -> CronJobWatcher:
        """See `Driver`; without pods there is nothing that could stay up."""
        del stable_seconds, crash_limit
        jobs = {change.target: detail(change.before) for change in changes}
        return CronJobWatcher(self._portal, changes, jobs)


class CronJobWatcher(ResourceWatcher[CronJob]):
    """Reads all CronJobs by one request for each look."""

    def read(
        self, portal: TenantPortal, changes: Sequence[Change], last: Mapping[Target, CronJob]
    ) -> Mapping[Target, CronJob]:
        """See `ResourceWatcher`."""
        del last
        jobs = {job.name: job for job in portal.cronjobs.list()}
        return {change.target: job for change in changes if (job := jobs.get(change.target.name))}

    def judge(self, change: Change, resource: CronJob) -> Verdict:
        """See `ResourceWatcher`."""
        return judge(change, resource)

    def describe(self, change: Change, resource: CronJob) -> str:
        """See `ResourceWatcher`."""
        image_now = ", ".join(resource.images.get(name, "no image") for name in change.images)
        return f"is set to {image_now}: {next_run(resource)}"


def judge(change: Change, now: CronJob) -> Verdict:
    """Return the verdict on one change, given the job as it is `now`."""
    if is_set_to(change, now):
        return Ready(next_run(now))
    for name, wanted in change.images.items():
        current, previous = now.images.get(name, ""), change.before.images.get(name, "")
        if not image.same(wanted, current) and not image.same(previous, current):
            return Superseded(current or "no image")
    if not change.sets:
        return Waiting("the portal still shows the previous image")
    if now.version != change.before.version:
        return Superseded("another environment")
    return Waiting("the portal still shows the previous configuration")


def next_run(job: CronJob) -> str:
    """Return when the job's image takes effect, in words."""
    if job.suspended:
        return f"it is suspended and runs nothing until it is resumed (schedule {job.schedule})"
    text = f"its next run uses it (schedule {job.schedule})"
    if not job.running:
        return text
    present = (
        "a run under way keeps the image it was started with"
        if job.running == 1
        else f"{job.running} runs under way keep the image they were started with"
    )
    rest = {
        "Forbid": ", and no other starts before it ends",
        "Replace": " until the next one replaces it",
    }.get(job.concurrency, "")
    return f"{text}; {present}{rest}"


def is_set_to(change: Change, job: CronJob) -> bool:
    """Return whether the job has every image that the change sets, and its configuration."""
    return all(
        image.same(new, job.images.get(name, "")) for name, new in change.images.items()
    ) and (not change.sets or is_in_place(present(job), change.sets))


def present(job: CronJob) -> Present:
    """Return the environments of a job."""
    try:
        return Present(environments(job))
    except ValueError as problem:
        return Present(problems={ENVIRONMENT: f"its environment cannot be edited: {problem}"})


def _body(job: CronJob, change: Change) -> Mapping[str, Any]:
    """Return the whole object as the change makes it."""
    edits, former = change.sets.environment, change.former if isinstance(change, Update) else None
    try:
        if former:
            return restored(job, change.images, detail(former), edits)
        return replacement(job, change.images, edits)
    except ValueError as problem:
        raise Refused(
            f"The environment of {change.target} cannot be edited: {problem}.",
            "Correct it in the portal.",
        ) from None


def detail(snapshot: Snapshot) -> CronJob:
    """Return the job in a CronJob's snapshot."""
    if not isinstance(snapshot.detail, CronJob):
        raise TypeError(snapshot)
    return snapshot.detail
