"""Jobs that earlier runs of the step left: follow them, count them as done, or delete them."""

from __future__ import annotations

import logging

from pipe.deploy_tests import CommandResult
from pipe.jobs.model import TenantCommand
from pipe.jobs.naming import JobName
from pipe.jobs.removal import Removal
from pipe.portal import TenantPortal
from pipe.portal.jobs import Job, Jobs

log = logging.getLogger(__name__)


def find_earlier(
    command: TenantCommand, name: JobName, portal: TenantPortal, removal: Removal
) -> Job | None:
    """Return the job to follow, or the one that makes the command unnecessary.

    All others that earlier runs of this step left are deleted.
    """
    jobs = Jobs(portal.scope).list()
    same = [job for job in jobs if name.is_same(job)]
    done = [job for job in same if command.once and job.end and job.end.is_complete]
    running = [job for job in same if job.end is None]
    chosen = next(iter([*done, *running]), None)
    for job in jobs:
        if job is not chosen and (job in same or name.is_outdated(job)):
            log.info("Deleting the job %s, which an earlier run of this step left.", job.name)
            removal.delete(job.name)
            if job.name == str(name):
                removal.wait_until_gone(job.name)
    if chosen and not chosen.end:
        text = "The job %s of an earlier run of this step is still running; following it."
        log.info(text, chosen.name)
    return chosen


def done_earlier(job: Job) -> CommandResult:
    """Return the result of a command that an earlier run has completed."""
    note = f"The job {job.name} of an earlier run of this step is complete; it is not run again."
    log.info("%s", note)
    return CommandResult(0.0, (f"[{note}]",), status=0)
