"""The record of a run: frozen, typed, and the only thing that every report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pipe.deploy_tests.model import DeployTestResult
from pipe.preflight.result import CheckResult
from pipe.registry.base import Finding
from pipe.rollout import Evidence, PodCounts
from pipe.secret import Mask

T = TypeVar("T")


@dataclass(frozen=True)
class TargetRecord:
    """One target: what it ran, what it was to run, and how that went.

    `before` and `after` hold its images by container; `rollback_to` those to restore, None when
    they are unknown. `version` is the target's from before the change, `previous_pods`
    identifies its pods of that time: both serve a run that has to resume this one. `state` says
    what runs now, `passed` is None until that is known, and `message` says why. `rollback` says
    how the rollback went, empty without one. `seconds` is how long the rollout was followed.
    """

    kind: str
    name: str
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
    state: str = ""
    passed: bool | None = None
    message: str = ""
    rollback: str = ""
    seconds: float = 0.0
    timeline: tuple[PodCounts, ...] = ()
    rollback_timeline: tuple[PodCounts, ...] = ()

    @property
    def label(self) -> str:
        """The target as `SERVICES` names it."""
        return self.name if self.kind == "service" else f"{self.kind}:{self.name}"


@dataclass(frozen=True)
class ImageRecord:
    """One image that had to be proven.

    `deployed` is the reference that was deployed, by digest with PIN_DIGEST. `digest` is empty
    and `not_proven` says why where its registry could not be asked. `findings` is None where no
    scan was asked for.
    """

    image: str
    deployed: str
    digest: str
    pushed: datetime | None
    findings: tuple[Finding, ...] | None
    not_proven: str


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
    """One run. `exit_code` and `finished` are None while it goes on, or after it was killed.

    `changed` is true once this run began to change anything. `url` is the address of the first
    target, empty when the portal does not know it.
    """

    pipe_version: str
    action: str
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

    def masked(self, mask: Mask) -> RunRecord:
        """Return the record without secrets.

        Words of the pipe's own stay, even where a secret happens to be the same word.
        """
        return replace(_masked(self, mask), action=self.action, outcome=self.outcome)


def _masked(value: T, mask: Mask) -> T:
    """Return plain data of any depth with every text masked; keys of mappings are not texts."""
    return _without_secrets(value, mask)  # type: ignore[no-any-return]


def _without_secrets(value: Any, mask: Mask) -> Any:
    if isinstance(value, str):
        return mask.text(value) if type(value) is str else value
    if isinstance(value, Mapping):
        return {key: _without_secrets(entry, mask) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(_without_secrets(entry, mask) for entry in value)
    if is_dataclass(value) and not isinstance(value, (type, PodCounts)):
        texts = {
            one.name: _without_secrets(getattr(value, one.name), mask) for one in fields(value)
        }
        return replace(value, **texts)
    return value
