"""The sequence of a deploy: plan, test, change, follow, test, and roll back where that fails.

Nothing is touched before the plan is complete and the targets were looked at a second time. What
to roll back to is recorded before the first write, because Bitbucket may kill the run at any
moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipe.clock import Clock, Deadline
from pipe.deploy import outcome
from pipe.deploy import plan as planning
from pipe.deploy.changes import AppliedChanges
from pipe.deploy.current_state import CurrentState
from pipe.deploy.evidence import log_evidence
from pipe.deploy.previous_run import PreviousRun
from pipe.deploy.rollback import RollbackOutcome, roll_back
from pipe.deploy_tests import DeployTests
from pipe.errors import PipeError, PlatformError
from pipe.kinds import Drivers
from pipe.model import Change, Plan, Target
from pipe.report import Recorder
from pipe.rollout import Ready, Verdict
from pipe.rollout.loop import follow
from pipe.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Deploy:
    """One run of the sequence.

    `previous_run` is the run whose place this one takes, `resolve` proves images, `save` writes
    the record so far to disk, and `notify_started` announces that the targets are about to change.
    """

    settings: Settings
    previous_run: PreviousRun
    drivers: Drivers
    clock: Clock
    recorder: Recorder
    resolve: planning.Resolve
    tests: DeployTests
    save: Callable[[], None]
    notify_started: Callable[[], None]
    _state: CurrentState = field(default_factory=CurrentState)
    _superseded: frozenset[Target] = frozenset()

    def __post_init__(self) -> None:
        self._applied = AppliedChanges(self.drivers)

    def run(self) -> str:
        """Deploy, and return the sentence that says how it went.

        Raises the `PipeError` that the run ends with.
        """
        plan = self._plan()
        if not plan.changes:
            return outcome.nothing_to_do(plan)
        if self.settings.dry_run:
            return "This was a dry run: the plan was printed and nothing was changed."
        self._test_before(plan)
        changes = plan.changes
        if self.settings.wait:
            changes = tuple(self.drivers.prepare(changes))
        # Last of all that takes time: nothing may come between this look and the change.
        planning.confirm(changes, self.drivers)
        try:
            return self._change_and_follow(changes)
        except PipeError as error:
            ours = [one for one in self._applied.made if one.target not in self._superseded]
            if self.settings.rollback and ours:
                raise self._roll_back(error, ours) from error
            raise

    def what_runs_now(self) -> str:
        """Return what is known of the changed targets, from the last look at them."""
        return self._state.describe(self._applied.made)

    def _plan(self) -> Plan:
        now = self.clock.now()
        plan = planning.build(self.settings, self.drivers, self.resolve, self.previous_run, now)
        self.recorder.planned(plan.changes, plan.unchanged)
        for change in plan.changes:
            log.info("Plan: %s", planning.describe(change))
        for snapshot in plan.unchanged:
            log.info("Plan: %s: nothing to change", snapshot.target)
        return plan

    def _test_before(self, plan: Plan) -> None:
        self.recorder.reachable_at(self.drivers.address(plan.changes[0].before))
        variables = self.recorder.variables()
        self.tests.prove_ready(variables)
        if all(change.resumes for change in plan.changes):
            # An earlier run has tested and changed everything; it is too late for this test.
            return
        self.tests.before(variables)

    def _change_and_follow(self, changes: Sequence[Change]) -> str:
        self.recorder.changing(changes)
        self.save()
        self.notify_started()
        self._applied.apply(changes)
        if not self.settings.wait:
            return f"Changed without following the rollout: WAIT is 'false'. {self.what_runs_now()}"
        verdicts = self._follow(changes)
        self._check(verdicts)
        self._test_after()
        return outcome.success(changes, verdicts)

    def _follow(self, changes: Sequence[Change]) -> Mapping[Target, Verdict]:
        timeout, stable = self.settings.wait_timeout, self.settings.stable_seconds
        log.info(
            "Following the rollout for at most %g s; new pods must stay up for %g s.",
            timeout,
            stable,
        )
        self._state.watcher = watcher = self.drivers.watch(changes, stable)
        started = self.clock.monotonic()
        try:
            verdicts = follow([watcher], Deadline.after(self.clock, timeout), self.clock)
            self.recorder.judged(verdicts)
        except PipeError as error:
            self.recorder.lost_sight(error.diagnosis)
            raise PlatformError(
                f"The change was made, but its rollout cannot be followed: {error.diagnosis}",
                error.remedy,
            ) from error
        finally:
            seconds = self.clock.monotonic() - started
            for target in (change.target for change in changes):
                self.recorder.followed(
                    target, watcher.state(target), watcher.pod_counts(target), seconds
                )
        return verdicts

    def _check(self, verdicts: Mapping[Target, Verdict]) -> None:
        """Raise the error that the verdicts deserve, once evidence was gathered."""
        for target, failed in outcome.failed_rollouts(verdicts).items():
            self._gather_evidence(target, failed)
        self._superseded = outcome.superseded(verdicts)
        if error := outcome.rollout_error(verdicts, self._advice()):
            raise error

    def _test_after(self) -> None:
        failed = self.tests.after(self.recorder.variables())
        if failed is None:
            return
        for change in self._applied.made:
            self._gather_evidence(change.target, Ready("but a test failed"))
        raise outcome.deploy_test_error(failed, self._advice())

    def _gather_evidence(self, target: Target, verdict: Verdict) -> None:
        if watcher := self._state.watcher:
            evidence = watcher.evidence(target, verdict)
            self.recorder.explained(evidence)
            log_evidence(evidence)

    def _advice(self) -> str:
        return outcome.advice(self._applied.made, rollback=self.settings.rollback)

    def _roll_back(self, error: PipeError, ours: Sequence[Change]) -> PipeError:
        log.info("Rolling back to the previous version (ROLLBACK: 'true').")
        rollbacks = roll_back(ours, self.drivers, self.settings, self.clock)
        self._state.rollbacks = {rollback.change.target: rollback for rollback in rollbacks}
        for rollback in rollbacks:
            target, watcher = rollback.change.target, rollback.watcher
            followed = watcher and rollback.outcome is not RollbackOutcome.SUPERSEDED
            self.recorder.rolled_back(
                target,
                f"{rollback.outcome}: {rollback.message}",
                self._state.of(rollback.change),
                watcher.pod_counts(target) if watcher and followed else (),
            )
        return outcome.rollback_error(error, rollbacks, any_superseded=bool(self._superseded))
