"""The sequence of a deploy: plan, test, release, change, follow, test, and roll back on failure.

Nothing is touched before the plan is complete and the targets were looked at a second time. What
to roll back to is recorded before the first write, because Bitbucket may kill the run at any
moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipe.clock import Clock
from pipe.deploy import evidence, outcome
from pipe.deploy import plan as planning
from pipe.deploy.changes import AppliedChanges
from pipe.deploy.current_state import CurrentState
from pipe.deploy.following import follow_changes
from pipe.deploy.previous_run import PreviousRun
from pipe.deploy.recovery import Recovery
from pipe.deploy.release import ReleaseCommand
from pipe.deploy_tests import DeployTests
from pipe.kinds import Drivers
from pipe.model import Change, Plan, Target
from pipe.report import Recorder
from pipe.rollout import Ready, Verdict
from pipe.secret import Secret
from pipe.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Deploy:
    """One run of the sequence.

    `previous_run` is the run whose place this one takes, `resolve` proves images, `save` writes
    the record so far to disk, `notify_started` announces that the targets are about to change,
    `log_defect` logs an unexpected exception, `conceal` masks values in all output, and
    `check_platforms` refuses images that cannot run where the present ones do. `plan` is None until
    it is made.
    """

    settings: Settings
    previous_run: PreviousRun
    drivers: Drivers
    clock: Clock
    recorder: Recorder
    resolve: planning.Resolve
    tests: DeployTests
    release: ReleaseCommand
    save: Callable[[], None]
    notify_started: Callable[[], None]
    log_defect: Callable[[Exception], None]
    conceal: Callable[[Iterable[Secret]], None]
    check_platforms: Callable[[Sequence[Change]], None] = lambda _: None
    plan: Plan | None = None
    _state: CurrentState = field(default_factory=CurrentState)
    _superseded: frozenset[Target] = frozenset()

    def __post_init__(self) -> None:
        self._applied = AppliedChanges(self.drivers)
        self._recovery = Recovery(
            self.settings, self.drivers, self.clock, self.recorder, self._state, self.log_defect
        )

    def run(self) -> str:
        """Deploy, and return the sentence that states how it went.

        Raises the `PipeError` that the run ends with.
        """
        plan = self.plan = self._plan()
        if not plan.changes:
            return outcome.nothing_to_do(plan, self.settings.image_requests)
        if self.settings.dry_run:
            return "This was a dry run: the plan was printed and nothing was changed."
        if self.settings.wait:
            self.drivers.look_closer(plan.changes)
        self._test_before(plan)
        self.release.run(plan)
        changes = plan.changes
        if self.settings.wait:
            changes = tuple(self.drivers.prepare(changes))
        # Last of all that takes time: nothing may come between this look and the change.
        changes = tuple(planning.confirm(changes, self.drivers))
        try:
            return self._change_and_follow(replace(plan, changes=changes))
        except Exception as error:
            if not self._applied.made:
                raise
            made, others = self._applied.made, self._superseded
            raise self._recovery.after(error, made, others) from error

    @property
    def has_changed(self) -> bool:
        """Whether any change took hold, or may have."""
        return bool(self._applied.made)

    def clean_up(self) -> None:
        """Remove what the release command left, unless a run that follows needs it as proof."""
        if self.plan and len(self._applied.made) == len(self.plan.changes):
            self.release.clear(self.plan)

    def what_runs_now(self) -> str:
        """Return what is known of the changed targets, from the last look at them."""
        made = self._applied.made
        state = self._state.describe(made) if made else self.release.what_stays()
        return " ".join(filter(None, (state, self.release.commands.stopped)))

    def _plan(self) -> Plan:
        now = self.clock.now()
        plan = planning.build(self.settings, self.drivers, self.resolve, self.previous_run, now)
        # Plans, logs of pods and commands in the tenant may show values of these.
        shown = {*self.settings.configurations, self.settings.tenant_commands.target}
        for snapshot in (*(change.before for change in plan.changes), *plan.unchanged):
            if snapshot.target in shown:
                self.conceal(snapshot.present.values())
        self.recorder.planned(plan.changes, plan.unchanged)
        planning.log_plan(plan)
        self.check_platforms(plan.changes)
        self.release.prepare(plan)
        return plan

    def _test_before(self, plan: Plan) -> None:
        self.recorder.reachable_at(self.drivers.address(plan.changes[0].before))
        variables = self.recorder.variables()
        self.tests = replace(self.tests, tenant=self.release.tests(plan))
        self.tests.prove_ready(variables)
        if all(change.resumes for change in plan.changes):
            # An earlier run has tested and changed everything; it is too late for this test.
            return
        self.tests.before(variables)

    def _change_and_follow(self, plan: Plan) -> str:
        changes = plan.changes
        self.tests = replace(self.tests, tenant=self.release.tests(plan))
        self.recorder.changing(changes)
        self.save()
        self.notify_started()
        self._applied.apply(changes)
        if not self.settings.wait:
            return f"Changed without following the rollout: WAIT is 'false'. {self.what_runs_now()}"
        watcher = self.drivers.watch(
            changes, self.settings.stable_seconds, self.settings.crash_limit
        )
        verdicts = follow_changes(
            watcher, self._state, changes, self.settings, self.clock, recorder=self.recorder
        )
        self._check(verdicts)
        self._test_after()
        return outcome.success(changes, verdicts)

    def _check(self, verdicts: Mapping[Target, Verdict]) -> None:
        """Raise the error that the verdicts deserve, once evidence was gathered."""
        self._gather_evidence(outcome.failed_rollouts(verdicts))
        self._superseded = outcome.superseded(verdicts)
        if error := outcome.rollout_error(verdicts, self._advice()):
            raise error

    def _test_after(self) -> None:
        failed = self.tests.after(self.recorder.variables())
        if failed is None:
            return
        verdict = Ready("but a test failed")
        self._gather_evidence({change.target: verdict for change in self._applied.made})
        raise outcome.deploy_test_error(failed, self._advice())

    def _gather_evidence(self, verdicts: Mapping[Target, Verdict]) -> None:
        if watcher := self._state.watcher:
            evidence.gather(watcher, verdicts, self.recorder, self.clock)

    def _advice(self) -> str:
        return outcome.advice(self._applied.made, rollback=self.settings.rollback)
