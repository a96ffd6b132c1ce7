"""The sequence of a deploy.

Nothing is touched before the plan stands and has been looked at a second time. What is to be
put back is recorded before the first write, because Bitbucket may kill the run at any moment.
"""

from __future__ import annotations

import logging
import threading
from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipe.clock import Clock, Deadline
from pipe.deploy import plan as planning
from pipe.deploy import previous_run, rollback
from pipe.deploy.rollback import RollbackOutcome, TargetRollback
from pipe.deploy_tests import DeployTests
from pipe.errors import Conflict, DeployFailed, ExitCode, PipeError, PlatformError
from pipe.kinds import Drivers
from pipe.kinds.base import Evidence, Watcher
from pipe.model import Change, Plan, Target
from pipe.parallel import run_concurrently
from pipe.report import Record, variables
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict
from pipe.rollout.loop import follow
from pipe.rollout.progress import words
from pipe.settings import Settings

log = logging.getLogger(__name__)

_FEW = 3
"""Targets of which each is told in the last line; more make it unreadable."""


@dataclass
class Deploy:
    """One run of the sequence.

    `resolve` proves images, `save` writes the record so far to disk, `begun` tells people.
    """

    settings: Settings
    drivers: Drivers
    clock: Clock
    record: Record
    resolve: planning.Resolve
    save: Callable[[], None]
    checks: DeployTests
    begun: Callable[[], None]
    made: list[Change] = field(default_factory=list)
    watcher: Watcher | None = None
    endings: dict[Target, TargetRollback] = field(default_factory=dict)
    theirs: set[Target] = field(default_factory=set)

    def run(self) -> str:
        """Do it; the sentence that says how it went. Raises the `PipeError` it ends with."""
        plan = self._plan()
        if not plan.changes:
            return _nothing_to_do(plan)
        if self.settings.dry_run:
            return "This was a dry run: the plan is printed and nothing was changed."
        self._test_before(plan)
        changes = plan.changes
        if self.settings.wait:
            changes = tuple(self.drivers.prepare(changes))
        # After all that takes its time: nothing may lie between this look and the change.
        planning.confirm(changes, self.drivers)
        try:
            self._change(changes)
            if not self.settings.wait:
                return f"Changed, and not followed: WAIT is 'false'. {self.what_runs_now()}"
            told = self._follow(changes)
            self._test_after()
            return told  # noqa: TRY300 - whatever fails until here is undone
        except PipeError as error:
            ours = [change for change in self.made if change.target not in self.theirs]
            if self.settings.rollback and ours:
                raise self._roll_back(error, ours) from error
            raise

    def what_runs_now(self) -> str:
        """What is known of the targets that this run changed, from what it saw last."""
        if not self.made:
            return "Nothing was changed."
        told = [f"{change.target} {self._state(change)}" for change in self.made]
        if len(told) <= _FEW:
            return f"Now: {'; '.join(told)}."
        for line in told:
            log.info("Now: %s.", line)
        return "What each target runs now is told above."

    def _plan(self) -> Plan:
        found = previous_run.find(self.settings)
        now = self.clock.now()
        plan = planning.build(self.settings, self.drivers, self.resolve, found, now)
        for change in plan.changes:
            self.record.plan(change)
            log.info("Plan: %s", planning.describe(change))
        for snapshot in plan.unchanged:
            self.record.plan(Change(snapshot, {}))
            log.info("Plan: %s: nothing to change", snapshot.target)
        return plan

    def _test_before(self, plan: Plan) -> None:
        self.record.url = self.drivers.address(plan.changes[0].before)
        deploy = variables(self.record)
        self.checks.prove_ready(deploy)
        if all(change.resumed for change in plan.changes):
            # An earlier run has tested and changed; there is no "before" any more.
            return
        self.checks.before(deploy)

    def _test_after(self) -> None:
        failed = self.checks.after(variables(self.record))
        if failed is None:
            return
        for change in self.made:
            self._gather(change.target, Ready("but a test failed"))
        raise DeployFailed(
            ExitCode.FAILED,
            f"The rollout worked, but {failed.name} {failed.message}.",
            f"The test's output is above. {self._advice()}",
        )

    def _change(self, changes: Sequence[Change]) -> None:
        self.record.changed = any(not change.resumed for change in changes)
        for change in changes:
            self.record.plan(change)
        self.save()
        self.begun()
        order = {change.target: place for place, change in enumerate(changes)}
        lock = threading.Lock()

        def make(change: Change) -> None:
            with lock:
                # Noted first: a run that ends in the middle of the change must not deny it.
                insort(self.made, change, key=lambda one: order[one.target])
            if change.resumed:
                return
            try:
                self.drivers.change(change)
            except PipeError as error:
                if not error.may_have_applied or self._is_untouched(change):
                    with lock:
                        self.made.remove(change)
                raise
            log.info("%s: changed.", change.target)

        first, *others = run_concurrently(make, changes) or (None,)
        for error in others:
            log.error("%s", error)
        if first is not None:
            raise first

    def _is_untouched(self, change: Change) -> bool:
        """Whether the portal shows the target as it was before the change; False when unknown."""
        try:
            now = self.drivers.read([change.target]).get(change.target)
        except PipeError:
            return False
        return now is not None and now.version == change.before.version

    def _follow(self, changes: Sequence[Change]) -> str:
        settings = self.settings
        log.info(
            "Following the rollout for at most %g s; new pods must stay up for %g s.",
            settings.wait_timeout,
            settings.stable_seconds,
        )
        self.watcher = self.drivers.watch(changes, settings.stable_seconds)
        started = self.clock.monotonic()
        try:
            deadline = Deadline.after(self.clock, settings.wait_timeout)
            verdicts = follow([self.watcher], deadline, self.clock)
            self.record.judge(verdicts)
        except PipeError as error:
            self.record.lose_sight(error.diagnosis)
            raise PlatformError(
                f"The change was made, but its rollout cannot be seen: {error.diagnosis}",
                error.remedy,
            ) from error
        finally:
            self._note(changes, self.watcher, self.clock.monotonic() - started)
        if failure := self._failure(verdicts):
            raise failure
        if len(changes) > _FEW:
            listed = ", ".join(f"{change.target} {change.main_image}" for change in changes)
            return f"{len(changes)} targets run what was asked for: {listed}."
        told = (_served(change, verdicts[change.target]) for change in changes)
        return f"{'; '.join(told)}."

    def _note(self, changes: Sequence[Change], watcher: Watcher, seconds: float) -> None:
        for change in changes:
            entry = self.record.targets[str(change.target)]
            entry.state = watcher.state(change.target)
            entry.samples = tuple(watcher.samples(change.target))
            entry.seconds = seconds

    def _failure(self, verdicts: Mapping[Target, Verdict]) -> PipeError | None:
        """The error that verdicts deserve, with evidence gathered before anything is undone."""
        bad = {target: v for target, v in verdicts.items() if isinstance(v, (Failed, TimedOut))}
        for target, failed in bad.items():
            self._gather(target, failed)
        overtaken = {target: v for target, v in verdicts.items() if isinstance(v, Superseded)}
        self.theirs.update(overtaken)
        for target, verdict in overtaken.items():
            if not bad:
                return Conflict(
                    f"{target}: {words(verdict)}; this run leaves it alone.",
                    "See who deploys it, and run the step again if yours is to serve.",
                )
        if not bad:
            return None
        told = "; ".join(f"{target}: {words(failed)}" for target, failed in bad.items())
        return DeployFailed(ExitCode.FAILED, f"{told}.", self._advice())

    def _gather(self, target: Target, verdict: Verdict) -> None:
        assert self.watcher is not None  # noqa: S101 - verdicts come from it
        evidence = self.watcher.evidence(target, verdict)
        self.record.evidence.append(evidence)
        _show(evidence)

    def _advice(self) -> str:
        known = [change for change in self.made if change.back]
        if self.settings.rollback or not known:
            return "Mend the image, and deploy it again."
        if len(known) > 1:
            return (
                "Mend the images, or put the versions before back with ACTION: 'rollback'. "
                "ROLLBACK: 'true' would do that at once."
            )
        images = ", ".join(image for change in known for image in (change.back or {}).values())
        return (
            f"Mend the image, or put the version before back with IMAGE: '{images}'. "
            "ROLLBACK: 'true' would do that at once."
        )

    def _roll_back(self, error: PipeError, ours: Sequence[Change]) -> PipeError:
        log.info("Putting back what ran before (ROLLBACK: 'true').")
        endings = rollback.roll_back(ours, self.drivers, self.settings, self.clock)
        self.endings = {ending.change.target: ending for ending in endings}
        for ending in endings:
            entry = self.record.targets[str(ending.change.target)]
            entry.state = self._state(ending.change)
            entry.rollback = f"{ending.fate}: {ending.message}"
            if ending.watcher and ending.fate is not RollbackOutcome.THEIRS:
                entry.samples_back = tuple(ending.watcher.samples(ending.change.target))
        fates = {ending.fate for ending in endings}
        told = "; ".join(f"{ending.change.target}: {ending.message}" for ending in endings)
        if fates == {RollbackOutcome.RESTORED} and not self.theirs:
            return DeployFailed(
                ExitCode.RESTORED,
                f"{error.diagnosis} The version before was put back and verified: {told}.",
                error.remedy,
            )
        if RollbackOutcome.FAILED not in fates:
            return Conflict(f"{error.diagnosis} On the way back, {told}.", error.remedy)
        return DeployFailed(
            ExitCode.NOT_RESTORED,
            f"{error.diagnosis} And the way back did not work out: {told}.",
            "Look at the targets in the portal now.",
        )

    def _state(self, change: Change) -> str:
        if ending := self.endings.get(change.target):
            watcher = ending.watcher
            return f"({ending.message})" if watcher is None else watcher.state(change.target)
        if self.watcher is None:
            return f"was told to run {change.main_image}"
        return self.watcher.state(change.target)


def _nothing_to_do(plan: Plan) -> str:
    told = ", ".join(
        f"{snapshot.target} runs {', '.join(snapshot.images.values())} already"
        for snapshot in plan.unchanged
    )
    return f"Nothing to change: {told}."


def _served(change: Change, verdict: Verdict) -> str:
    how = verdict.detail if isinstance(verdict, Ready) else words(verdict)
    if change.restart:
        return f"{change.target} was restarted on {change.main_image}: {how}"
    before = "" if change.resumed else f" (before: {change.main_image_before})"
    return f"{change.target} runs {change.main_image}{before}: {how}"


def _show(evidence: Evidence) -> None:
    for text in evidence.faults:
        log.error("  fault: %s", text)
    if evidence.log:
        log.error("  last log lines of %s:", evidence.pod)
    elif evidence.pod:
        log.error("  %s has written no log that the portal can show.", evidence.pod)
    for line in evidence.log:
        log.error("  | %s", line)
