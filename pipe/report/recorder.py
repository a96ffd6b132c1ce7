"""Collect the events of a run into its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from pipe import __version__, image
from pipe.configuration import describe
from pipe.deploy_tests.model import DeployTestResult
from pipe.errors import ExitCode
from pipe.image import Image
from pipe.model import Change, Restart, Snapshot, Target, Update
from pipe.preflight.result import CheckResult
from pipe.registry.verification import ImageVerification
from pipe.report.link import step_page
from pipe.report.record import ImageRecord, RunRecord, StepRecord, TargetRecord
from pipe.rollout import Evidence, PodCounts, Ready, RolloutEvent, Verdict, Waiting, words
from pipe.secret import Secret
from pipe.settings import Settings, Step


class Recorder:
    """Collects every event of a run; `record` returns what is known so far.

    `token` is the portal token, with which the record is signed; it is empty until it is known.
    """

    def __init__(self, settings: Settings, started: datetime) -> None:
        self.token: Secret = settings.token
        self._settings = settings
        self._started = started
        self._targets: dict[Target, TargetRecord] = {}
        self._tests: list[DeployTestResult] = []
        self._checks: list[CheckResult] = []
        self._evidence: list[Evidence] = []
        self._warnings: list[str] = []
        self._verifications: Mapping[Image, ImageVerification] = {}
        self._changed = False
        self._url = ""
        self._end: tuple[ExitCode, str, datetime] | None = None

    @property
    def checks(self) -> Sequence[CheckResult]:
        """The preflight checks so far."""
        return tuple(self._checks)

    def planned(self, changes: Iterable[Change], unchanged: Iterable[Snapshot] = ()) -> None:
        """Note the planned changes, with the images to roll back to, and the unchanged targets."""
        for change in changes:
            self._targets[change.target] = _target(change)
        for snapshot in unchanged:
            self._targets[snapshot.target] = _target(Update(snapshot, {}))

    def verified(self, verifications: Mapping[Image, ImageVerification]) -> None:
        """Note the mapping that collects the verifications of images."""
        self._verifications = verifications

    def reachable_at(self, url: str) -> None:
        """Note the address of the first target."""
        self._url = url

    def changing(self, changes: Sequence[Change]) -> None:
        """Note that the run is about to make these changes, or to follow an earlier run's."""
        self._changed = any(change.resumes is None for change in changes)
        self.planned(changes)

    def tested(self, result: DeployTestResult) -> None:
        """Note the result of one of the user's tests."""
        self._tests.append(result)

    def checked(self, result: CheckResult) -> None:
        """Note the result of one preflight check."""
        self._checks.append(result)

    def followed(
        self,
        target: Target,
        state: str,
        timeline: Sequence[PodCounts],
        seconds: float,
        *,
        seen_by: str,
    ) -> None:
        """Note the state of a rollout when it was last checked."""
        seen = {"timeline": tuple(timeline), "seconds": seconds, "seen_by": seen_by}
        self._update(target, state=state, **seen)

    def reported(self, target: Target, events: Sequence[RolloutEvent]) -> None:
        """Note what Kubernetes reported of a rollout; events noted before are replaced."""
        if events:
            self._update(target, events=tuple(events))

    def judged(self, verdicts: Mapping[Target, Verdict]) -> None:
        """Note the verdicts on the rollouts."""
        for target, verdict in verdicts.items():
            passed = None if isinstance(verdict, Waiting) else isinstance(verdict, Ready)
            self._update(target, passed=passed, message=words(verdict))

    def lost_sight(self, reason: str) -> None:
        """Note that the rollouts could not be followed to their end."""
        for target in self._targets:
            self._update(target, passed=False, message=reason)

    def explained(self, evidence: Evidence) -> None:
        """Note the evidence for why a target failed."""
        self._evidence.append(evidence)

    def warned(self, warning: str) -> None:
        """Note something to act on that does not change how the run ends."""
        self._warnings.append(warning)

    def rolled_back(
        self, target: Target, message: str, state: str, timeline: Sequence[PodCounts]
    ) -> None:
        """Note how the rollback of a target went."""
        self._update(target, rollback=message, state=state, rollback_timeline=tuple(timeline))

    def finished(self, code: ExitCode, summary: str, at: datetime) -> None:
        """Note how the run ended."""
        self._end = code, summary, at

    def record(self) -> RunRecord:
        """Return everything known so far."""
        code, summary, finished = self._end or (None, "", None)
        return RunRecord(
            pipe_version=__version__,
            action=self._settings.action,
            outcome="running" if code is None else code.outcome,
            exit_code=None if code is None else int(code),
            summary=summary,
            started=self._started,
            finished=finished,
            changed=self._changed,
            portal=self._settings.host,
            tenant=self._settings.tenant,
            url=self._url,
            targets=tuple(
                replace(entry, digest=self._digest(entry.image)) for entry in self._targets.values()
            ),
            tests=tuple(self._tests),
            images=tuple(_image(one) for one in self._verifications.values()),
            checks=tuple(self._checks),
            evidence=tuple(self._evidence),
            step=_step(self._settings.step),
            warnings=tuple(self._warnings),
        )

    def variables(self) -> Mapping[str, str]:
        """Return the `DEPLOY_*` variables that describe the run."""
        record = self.record()
        main = next(iter(record.targets), None)
        return {
            "DEPLOY_OUTCOME": record.outcome,
            "DEPLOY_EXIT_CODE": "" if record.exit_code is None else str(record.exit_code),
            "DEPLOY_TENANT": record.tenant,
            "DEPLOY_TARGETS": " ".join(str(entry.target) for entry in record.targets),
            "DEPLOY_IMAGE": main.image if main else "",
            "DEPLOY_PREVIOUS_IMAGE": main.previous_image if main else "",
            "DEPLOY_URL": record.url or _origin(self._settings.tests.url),
        }

    def _update(self, target: Target, **changed: object) -> None:
        self._targets[target] = replace(self._targets[target], **changed)  # type: ignore[arg-type]

    def _digest(self, deployed: str) -> str:
        """Return the digest of a deployed image, empty when it is unknown."""
        digests = (
            one.digest for one in self._verifications.values() if str(one.deploy) == deployed
        )
        return next(digests, "") or image.digest(deployed)


def _target(change: Change) -> TargetRecord:
    rollback_to = change.rollback_to if isinstance(change, Update) else None
    return TargetRecord(
        target=change.target,
        image=change.image,
        previous_image=change.previous_image,
        before=dict(change.before.images),
        after=dict(change.wanted),
        rollback_to=None if rollback_to is None else dict(rollback_to),
        digest="",
        restart=isinstance(change, Restart),
        resumed=change.resumes is not None,
        version=change.previous_version,
        previous_pods=tuple(sorted(change.previous_pods)),
        configuration=_configuration(change),
    )


def _configuration(change: Change) -> tuple[str, ...]:
    if isinstance(change, Update) and change.configuration_is_lost:
        return ("changed by an earlier run",)
    return describe(change.before.present, change.sets)


def _image(verification: ImageVerification) -> ImageRecord:
    return ImageRecord(
        image=str(verification.image),
        deployed=str(verification.deploy),
        digest=verification.digest,
        pushed=verification.pushed,
        findings=verification.findings,
        not_verified=verification.unverified_reason,
    )


def _step(step: Step) -> StepRecord:
    return StepRecord(
        workspace=step.workspace,
        repository=step.repository,
        build_number=step.build_number,
        run_number=step.run_number,
        pipeline=step.pipeline,
        step=step.step,
        commit=step.commit,
        branch=step.branch,
        tag=step.tag,
        deployment=step.deployment,
        link=step_page(step),
    )


def _origin(url: str) -> str:
    """Return the scheme and host of a URL, empty for a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
