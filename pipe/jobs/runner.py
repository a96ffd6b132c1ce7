"""Run commands as jobs of Kubernetes: created once, followed to their end, and deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pipe.clock import Clock
from pipe.deploy_tests import CommandResult
from pipe.deploy_tests.lines import Lines
from pipe.deploy_tests.model import WriteLine
from pipe.errors import PipeError
from pipe.jobs.body import build, check
from pipe.jobs.earlier import done_earlier, find_earlier
from pipe.jobs.follow import Follower, PodsInside
from pipe.jobs.judge import Ended, Gone, JobState, Succeeded
from pipe.jobs.log import LogStream
from pipe.jobs.model import TenantCommand, TenantRunner
from pipe.jobs.naming import JobName
from pipe.jobs.removal import Left, Removal
from pipe.jobs.result import result
from pipe.kinds.send_once import SendOnce
from pipe.portal import TenantPortal
from pipe.portal.job_body import JobBody
from pipe.portal.jobs import Jobs
from pipe.settings import Step

log = logging.getLogger(__name__)

_SECONDS_TO_STOP = 5.0


class JobRunner(TenantRunner):
    """See `TenantRunner`. With `keep_failed`, a job that failed is not deleted."""

    def __init__(
        self,
        portal: TenantPortal,
        clock: Clock,
        step: Step,
        mask: Callable[[str], str],
        *,
        keep_failed: bool = False,
        pods_inside: PodsInside | None = None,
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._step = step
        self._mask = mask
        self._keep_failed = keep_failed
        self._pods_inside = pods_inside
        self._removal = Removal(portal, clock)
        self._job: Follower | Left | None = None
        """The job that may be running, or what became of it."""

    def check_ready(self, command: TenantCommand) -> None:
        """See `TenantRunner`."""
        check(command)
        build(command, JobName.of(command, self._step))
        Jobs(self._portal.scope).list()

    def run(self, command: TenantCommand, write_line: WriteLine) -> CommandResult:
        """See `TenantRunner`."""
        began, name = self._clock.monotonic(), JobName.of(command, self._step)
        body = build(command, name)
        follower = self._follower(command, body, LogStream(Lines(write_line, self._mask)))
        self._job = None
        try:
            found = find_earlier(command, name, self._portal, self._removal)
            if found and found.end:
                return done_earlier(found)
            if found:
                follower.name, self._job = found.name, follower
            else:
                self._create(command, body, follower)
            state = follower.to_end()
        except KeyboardInterrupt:
            self.stop()
            raise
        except Exception:
            self._abandon()
            raise
        self._job = None
        self._settle(command, follower.name, state)
        return result(state, follower, self._clock.monotonic() - began)

    def clear(self, command: TenantCommand) -> None:
        """See `TenantRunner`."""
        name = JobName.of(command, self._step)
        kept = self._job.kept if isinstance(self._job, Left) else ""
        try:
            for job in Jobs(self._portal.scope).list():
                is_ours = name.is_same(job) or name.is_outdated(job)
                if is_ours and job.name != kept:
                    self._removal.delete(job.name)
        except PipeError as error:
            log.warning("%s Jobs of %s may be left in the tenant.", error, command.setting)

    def stop(self) -> str:
        """See `TenantRunner`."""
        if isinstance(self._job, Follower):
            # A second interruption ends this at once.
            follower, self._job = self._job, None
            self._job = self._stopped(follower)
        return self._job.sentence if self._job else ""

    def _stopped(self, follower: Follower) -> Left:
        """Delete a job, unless its command has succeeded or may have."""
        name, portal = follower.name, self._portal.within(_SECONDS_TO_STOP)
        succeeded = follower.once and follower.has_succeeded(portal)
        if succeeded is None:
            return self._removal.leave(name)
        if succeeded:
            return Left.complete(name)
        return Left(Removal(portal, self._clock).stop(name))

    def _abandon(self) -> None:
        """Log what becomes of the job that cannot be followed any more."""
        if isinstance(self._job, Follower) and self._job.once:
            self._job = self._removal.leave(self._job.name)
        if sentence := self.stop():
            log.warning("%s", sentence)

    def _create(self, command: TenantCommand, body: JobBody, follower: Follower) -> None:
        """Create the job; after a lost reply look for it first."""
        jobs, is_uncertain = Jobs(self._portal.scope), False
        if body.left_out:
            log.info("The job is made without %s.", ", ".join(body.left_out))

        def create() -> None:
            nonlocal is_uncertain
            self._job = follower
            try:
                jobs.create(body)
            except PipeError as error:
                is_uncertain |= error.may_have_applied
                if not is_uncertain:
                    self._job = None
                raise

        SendOnce(self._clock).send(
            f"the job {body.name}", create, lambda: jobs.find(body.name) is not None
        )
        log.info("%s runs in the tenant as the job %s.", command.setting, body.name)

    def _follower(self, command: TenantCommand, body: JobBody, stream: LogStream) -> Follower:
        return Follower(
            portal=self._portal,
            clock=self._clock,
            name=body.name,
            container=body.container,
            setting=command.setting,
            seconds=command.seconds,
            stream=stream,
            once=command.once,
            pods_inside=self._pods_inside,
        )

    def _settle(self, command: TenantCommand, name: str, state: JobState) -> None:
        """Delete the job unless it has to stay as a proof, or for a look at it."""
        if isinstance(state, Succeeded) and command.once:
            return
        if isinstance(state, Gone) and command.once:
            # If a list left it out by mistake, the next run finds it.
            self._job = Left("", kept=name)
            return
        if isinstance(state, Ended) and self._keep_failed:
            log.info("The job %s stays because of DEBUG. %s", name, self._removal.remedy(name))
            return
        if isinstance(state, (Succeeded, Gone)) or (
            isinstance(state, Ended) and not state.is_out_of_time
        ):
            self._removal.delete(name)
        else:
            log.info("%s", self._removal.stop(name))
