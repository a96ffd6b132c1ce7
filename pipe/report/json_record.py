"""The record as JSON, as schema/deploy.schema.json describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipe.deploy_tests.model import DeployTestResult
from pipe.preflight.result import CheckResult
from pipe.report.record import ImageRecord, RunRecord, TargetRecord
from pipe.rollout import Evidence, PodCounts, RolloutEvent

SCHEMA = 2
"""Raised when the meaning of an existing key changes; keys may be added at any time."""


def to_json(record: RunRecord) -> str:
    """Return the text of `deploy.json`."""
    return json.dumps(as_data(record), indent=2, ensure_ascii=False) + "\n"


def as_data(record: RunRecord) -> Mapping[str, Any]:
    """Return the content of `deploy.json`, without its signature."""
    return {
        "schema": SCHEMA,
        "pipe_version": record.pipe_version,
        "action": str(record.action),
        "outcome": record.outcome,
        "exit_code": record.exit_code,
        "summary": record.summary,
        "started": _moment(record.started),
        "finished": _moment(record.finished),
        "changed": record.changed,
        "portal": record.portal,
        "tenant": record.tenant,
        "url": record.url or None,
        "targets": [_target(target) for target in record.targets],
        "tests": [_test(test) for test in record.tests],
        "images": [_image(image) for image in record.images],
        "checks": [_check(check) for check in record.checks],
        "evidence": [_evidence(evidence) for evidence in record.evidence],
        "warnings": record.warnings,
        "step": vars(record.step),
    }


def _target(target: TargetRecord) -> Mapping[str, Any]:
    return {
        "kind": str(target.target.kind),
        "name": target.name,
        "before": target.before,
        "after": target.after,
        "rollback_to": target.rollback_to,
        "restart": target.restart,
        "resumed": target.resumed,
        "version": target.version,
        "previous_pods": target.previous_pods,
        "configuration": target.configuration,
        "state": target.state,
        "passed": target.passed,
        "message": target.message,
        "rollback": target.rollback or None,
        "seconds": round(target.seconds, 3),
        "timeline": [_pod_counts(counts) for counts in target.timeline],
        "rollback_timeline": [_pod_counts(counts) for counts in target.rollback_timeline],
        "events": [_event(event) for event in target.events],
        "seen_by": target.seen_by or None,
        "digest": target.digest or None,
    }


def _pod_counts(counts: PodCounts) -> Mapping[str, Any]:
    return {
        "seconds": round(counts.seconds, 3),
        "old": counts.old,
        "up": counts.up,
        "starting": counts.starting,
        "ready": counts.ready,
    }


def _event(event: RolloutEvent) -> Mapping[str, Any]:
    return {**vars(event), "seconds": round(event.seconds, 3)}


def _test(test: DeployTestResult) -> Mapping[str, Any]:
    return {
        "name": test.name,
        "kind": test.kind,
        "subject": test.subject,
        "passed": test.passed,
        "message": test.message,
        "seconds": round(test.seconds, 3),
        "output": test.output,
    }


def _image(image: ImageRecord) -> Mapping[str, Any]:
    findings = image.findings
    return {
        "image": image.image,
        "deployed": image.deployed,
        "digest": image.digest,
        "pushed": _moment(image.pushed),
        "findings": None if findings is None else [vars(finding) for finding in findings],
        "not_verified": image.not_verified,
    }


def _check(check: CheckResult) -> Mapping[str, Any]:
    return {
        "name": check.name,
        "status": str(check.status),
        "message": check.message,
        "remedy": check.remedy,
        "details": check.details,
    }


def _evidence(evidence: Evidence) -> Mapping[str, Any]:
    return {
        "target": str(evidence.target),
        "pod": evidence.pod,
        "faults": evidence.faults,
        "containers": evidence.containers,
        "log": evidence.log,
        "log_of": evidence.log_of,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
