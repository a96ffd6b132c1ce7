"""One record of a run, filled while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipe import __version__, image
from pipe.deploy_tests.model import DeployTestResult
from pipe.errors import ExitCode
from pipe.image import Image
from pipe.kinds.base import Evidence, Sample
from pipe.model import Change, Target
from pipe.preflight.result import CheckResult
from pipe.registry.verification import ImageVerification
from pipe.report.link import step_page
from pipe.rollout import Ready, Verdict, Waiting
from pipe.rollout.progress import words
from pipe.secret import Mask
from pipe.settings import Settings

_OURS = ("schema", "pipe_version", "action", "outcome", "started", "finished")


@dataclass
class TargetRecord:
    """One target's part: what it ran, what it was to run, and how that went.

    `state` tells people what runs now; `seconds` is how long it was followed; `passed` is None
    while nobody can say; `told` says why; `rollback` how it went to put the version before back.
    """

    change: Change
    state: str = ""
    seconds: float = 0.0
    samples: tuple[Sample, ...] = ()
    passed: bool | None = None
    message: str = ""
    rollback: str = ""
    samples_back: tuple[Sample, ...] = ()


@dataclass
class Record:
    """What `deploy.json` says. `url` is where people reach the first target, if known."""

    settings: Settings
    started: datetime
    targets: dict[str, TargetRecord] = field(default_factory=dict)
    checks: list[DeployTestResult] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    proofs: Mapping[Image, ImageVerification] = field(default_factory=dict)
    facts: list[CheckResult] = field(default_factory=list)
    changed: bool = False
    url: str = ""
    finished: datetime | None = None
    code: ExitCode | None = None
    summary: str = ""

    @property
    def outcome(self) -> str:
        """The exit code's name; "running" until the run has ended."""
        return "running" if self.code is None else self.code.name.lower().replace("_", "-")

    def plan(self, change: Change) -> None:
        """Take up a target with the state to return to."""
        self.targets[str(change.target)] = TargetRecord(change)

    def judge(self, verdicts: Mapping[Target, Verdict]) -> None:
        """Note how the rollouts ended."""
        for target, verdict in verdicts.items():
            entry = self.targets[str(target)]
            entry.passed = None if isinstance(verdict, Waiting) else isinstance(verdict, Ready)
            entry.message = words(verdict)

    def lose_sight(self, why: str) -> None:
        """Note that nobody can say how the rollouts ended."""
        for entry in self.targets.values():
            entry.passed, entry.message = False, why

    def finish(self, code: ExitCode, summary: str, at: datetime) -> None:
        """Note how the run ended."""
        self.code, self.summary, self.finished = code, summary, at

    def as_dict(self) -> Mapping[str, Any]:
        """The record as plain data, as schema/deploy.schema.json describes it."""
        return {
            "schema": 1,
            "pipe_version": __version__,
            "action": str(self.settings.action),
            "outcome": self.outcome,
            "exit_code": None if self.code is None else int(self.code),
            "summary": self.summary,
            "started": self.started.isoformat(timespec="seconds"),
            "finished": self.finished and self.finished.isoformat(timespec="seconds"),
            "changed": self.changed,
            "portal": self.settings.host,
            "tenant": self.settings.tenant,
            "url": self.url or None,
            "targets": [
                {**_target(entry), "digest": self._digest(entry.change.main_image)}
                for entry in self.targets.values()
            ],
            "tests": [_check(entry) for entry in self.checks],
            "images": [_image(proof) for proof in self.proofs.values()],
            "checks": [fact.as_dict() for fact in self.facts],
            "evidence": [_evidence(entry) for entry in self.evidence],
            "step": self._step(),
        }

    def masked(self, mask: Mask) -> Mapping[str, Any]:
        """The same without secrets, but for words of ours that happen to be one too."""
        data = self.as_dict()
        return {**mask.data(data), **{key: data[key] for key in _OURS}}

    def _step(self) -> Mapping[str, str]:
        step = self.settings.step
        return {
            "workspace": step.workspace,
            "repository": step.repository,
            "build_number": step.build_number,
            "run_number": step.run_number,
            "pipeline": step.pipeline,
            "step": step.step,
            "commit": step.commit,
            "branch": step.branch,
            "tag": step.tag,
            "deployment": step.deployment,
            "link": step_page(step),
        }

    def _digest(self, deployed: str) -> str | None:
        """The digest of a deployed image, None when nobody could tell."""
        proven = (proof.digest for proof in self.proofs.values() if str(proof.deploy) == deployed)
        return next(proven, "") or image.digest(deployed) or None


def _image(proof: ImageVerification) -> Mapping[str, Any]:
    found = proof.findings
    return {
        "image": str(proof.image),
        "deployed": str(proof.deploy),
        "digest": proof.digest,
        "pushed": proof.pushed and proof.pushed.isoformat(timespec="seconds"),
        "findings": None
        if found is None
        else [{"name": one.name, "severity": one.severity} for one in found],
        "why_not_verified": proof.unverified_reason,
    }


def _target(entry: TargetRecord) -> Mapping[str, Any]:
    change = entry.change
    return {
        "kind": str(change.target.kind),
        "name": change.target.name,
        "before": dict(change.before.images),
        "after": dict(change.wanted),
        "back": None if change.back is None else dict(change.back),
        "restart": change.restart,
        "resumed": change.resumed,
        "version": change.origin or change.before.version,
        "previous_pods": sorted(change.previous_pods),
        "state": entry.state,
        "passed": entry.passed,
        "message": entry.message,
        "rollback": entry.rollback or None,
        "seconds": round(entry.seconds, 3),
        "timeline": [_sample(sample) for sample in entry.samples],
        "timeline_back": [_sample(sample) for sample in entry.samples_back],
    }


def _sample(sample: Sample) -> Mapping[str, Any]:
    return {
        "seconds": round(sample.seconds, 3),
        "old": sample.old,
        "up": sample.up,
        "starting": sample.starting,
    }


def _check(entry: DeployTestResult) -> Mapping[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind,
        "subject": entry.subject,
        "passed": entry.passed,
        "message": entry.message,
        "seconds": round(entry.seconds, 3),
        "output": list(entry.output),
    }


def _evidence(entry: Evidence) -> Mapping[str, Any]:
    return {
        "target": str(entry.target),
        "pod": entry.pod,
        "faults": list(entry.faults),
        "log": list(entry.log),
    }
