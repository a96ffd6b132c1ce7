"""One record of a run, filled while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipe import __version__
from pipe.errors import ExitCode
from pipe.kinds.interface import Evidence, Sample
from pipe.model import Change
from pipe.settings import Settings


@dataclass
class TargetRecord:
    """One target's part: what it ran, what it was to run, and how that went.

    `state` tells people what runs now; `seconds` is how long it was followed.
    """

    change: Change
    state: str = ""
    seconds: float = 0.0
    samples: tuple[Sample, ...] = ()


@dataclass
class Record:
    """What `deploy.json` says."""

    settings: Settings
    started: datetime
    targets: dict[str, TargetRecord] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    changed: bool = False
    finished: datetime | None = None
    code: ExitCode | None = None
    summary: str = ""

    def plan(self, change: Change) -> None:
        """Take up a target with the state to return to."""
        self.targets[str(change.target)] = TargetRecord(change)

    def finish(self, code: ExitCode, summary: str, at: datetime) -> None:
        """Note how the run ended."""
        self.code, self.summary, self.finished = code, summary, at

    def as_dict(self) -> Mapping[str, Any]:
        """The record as plain data; `outcome` is "running" until the run has ended."""
        step = self.settings.step
        return {
            "schema": 1,
            "pipe_version": __version__,
            "outcome": "running" if self.code is None else self.code.name.lower().replace("_", "-"),
            "exit_code": None if self.code is None else int(self.code),
            "summary": self.summary,
            "started": self.started.isoformat(timespec="seconds"),
            "finished": self.finished and self.finished.isoformat(timespec="seconds"),
            "changed": self.changed,
            "portal": self.settings.host,
            "tenant": self.settings.tenant,
            "targets": [_target(entry) for entry in self.targets.values()],
            "evidence": [_evidence(entry) for entry in self.evidence],
            "step": {
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
            },
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
        "picked_up": change.picked_up,
        "version": change.origin or change.before.version,
        "witnesses": sorted(change.witnesses),
        "state": entry.state,
        "seconds": round(entry.seconds, 3),
        "timeline": [
            {"seconds": round(s.seconds, 3), "old": s.old, "up": s.up, "starting": s.starting}
            for s in entry.samples
        ],
    }


def _evidence(entry: Evidence) -> Mapping[str, Any]:
    return {
        "target": str(entry.target),
        "pod": entry.pod,
        "faults": list(entry.faults),
        "log": list(entry.log),
    }
