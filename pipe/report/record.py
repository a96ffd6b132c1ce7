"""The record of a run: frozen, typed, and the only source of every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any

from pipe.deploy_tests.model import DeployTestResult
from pipe.model import Target
from pipe.preflight.result import CheckResult
from pipe.registry.base import Finding
from pipe.rollout import Evidence, PodCounts, RolloutEvent
from pipe.secret import Mask
from pipe.settings import Action


@dataclass(frozen=True)
class TargetRecord:
    """One target: its images before and after the change, and how the rollout went.

    `before` and `after` hold images by container; `rollback_to` those to restore, None when they
    are unknown. `version` is the target's version before the change and `previous_pods`
    identifies its pods of that time: a later run needs both to resume this one. `configuration`
    describes what the change sets besides images, without values; a run that resumes a change
    keeps it. `state` describes
    what runs now, `passed` is None until the rollout has ended, and `message` gives the reason.
    `rollback` describes how the rollback went, empty without one. `seconds` is how long the
    rollout was followed, and `events` are what Kubernetes reported meanwhile, where it was asked.
    `seen_by` names whose account of the rollout `passed` rests on, empty without a rollout.
    """

    target: Target
    image: str
    previous_image: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    rollback_to: Mapping[str, str] | None
    digest: str
    restart: bool
    resumed: bool
    version: str
    previous_pods: tuple[str, ...]
    configuration: tuple[str, ...] = ()
    state: str = ""
    passed: bool | None = None
    message: str = ""
    rollback: str = ""
    seconds: float = 0.0
    timeline: tuple[PodCounts, ...] = ()
    rollback_timeline: tuple[PodCounts, ...] = ()
    events: tuple[RolloutEvent, ...] = ()
    seen_by: str = ""

    @property
    def name(self) -> str:
        """The target's name, without its kind."""
        return self.target.name


@dataclass(frozen=True)
class ImageRecord:
    """One image that was verified in its registry.

    `deployed` is the reference that was deployed: by digest with PIN_DIGEST. When the registry
    could not be queried, `digest` is empty and `not_verified` gives the reason. `findings` is None
    when no scan was requested.
    """

    image: str
    deployed: str
    digest: str
    pushed: datetime | None
    findings: tuple[Finding, ...] | None
    not_verified: str


@dataclass(frozen=True)
class StepRecord:
    """The Bitbucket step; every field is empty in a local run. `link` is its page."""

    workspace: str
    repository: str
    build_number: str
    run_number: str
    pipeline: str
    step: str
    commit: str
    branch: str
    tag: str
    deployment: str
    link: str


@dataclass(frozen=True)
class RunRecord:
    """One run. `exit_code` and `finished` are None while it runs, or after it was killed.

    `changed` is true once this run began to change anything. `url` is the address of the first
    target, empty when the portal does not know it.
    """

    pipe_version: str
    action: Action
    outcome: str
    exit_code: int | None
    summary: str
    started: datetime
    finished: datetime | None
    changed: bool
    portal: str
    tenant: str
    url: str
    targets: tuple[TargetRecord, ...]
    tests: tuple[DeployTestResult, ...]
    images: tuple[ImageRecord, ...]
    checks: tuple[CheckResult, ...]
    evidence: tuple[Evidence, ...]
    step: StepRecord
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float | None:
        """How long the run took, None while it runs."""
        return (self.finished - self.started).total_seconds() if self.finished else None

    def masked(self, mask: Mask) -> RunRecord:
        """Return the record without secrets.

        Enums and `outcome` are the pipe's own words: they stay, even where a secret happens to
        be the same word.
        """
        record: RunRecord = _masked(self, mask)
        return replace(record, outcome=self.outcome)


def _masked(value: Any, mask: Mask) -> Any:
    """Return plain data of any depth with every text masked, except keys of mappings."""
    if type(value) is str:
        return mask.text(value)
    if isinstance(value, Mapping):
        return {key: _masked(entry, mask) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(_masked(entry, mask) for entry in value)
    # Pod counts hold no text, and there can be thousands of them.
    if is_dataclass(value) and not isinstance(value, (type, PodCounts)):
        texts = {field.name: _masked(getattr(value, field.name), mask) for field in fields(value)}
        return replace(value, **texts)
    return value
