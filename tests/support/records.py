"""Build records for tests: complete, with only the fields of interest given, or signed files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipe.deploy_tests.model import DeployTestResult
from pipe.kind import Kind
from pipe.report.authenticity import sign
from pipe.report.record import RunRecord, StepRecord, TargetRecord
from pipe.secret import Secret
from pipe.settings import Action
from pipe.target import Target

STARTED = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
WEB = Target(Kind.SERVICE, "web")


def run_record(**given: Any) -> RunRecord:
    """Return a run that has just begun in the tenant `dev01`."""
    record = RunRecord(
        pipe_version="1.0.0",
        action=Action.DEPLOY,
        outcome="running",
        exit_code=None,
        summary="",
        started=STARTED,
        finished=None,
        changed=False,
        portal="https://portal.example",
        tenant="dev01",
        url="",
        targets=(),
        tests=(),
        images=(),
        checks=(),
        evidence=(),
        step=step_record(),
    )
    return replace(record, **given)


def target_record(**given: Any) -> TargetRecord:
    """Return an update of `web` that succeeded."""
    record = TargetRecord(
        target=WEB,
        image="team/web:2",
        previous_image="team/web:1",
        before={"": "team/web:1"},
        after={"": "team/web:2"},
        rollback_to={"": "team/web:1"},
        digest="",
        restart=False,
        resumed=False,
        version="1",
        previous_pods=(),
        state="is set to team/web:2",
        passed=True,
        message="ready, 2 pods up for 5 s, as the portal shows",
        seconds=11.04,
    )
    return replace(record, **given)


def deploy_test_result(**given: Any) -> DeployTestResult:
    """Return a command that passed."""
    result = DeployTestResult(
        name="POST_DEPLOY_TEST",
        kind="command",
        subject="make smoke",
        passed=True,
        seconds=1.0,
        message="passed in 1.0 s",
        output=("fine",),
    )
    return replace(result, **given)


def step_record(text: str = "") -> StepRecord:
    """Return a step with the same text in every field."""
    return StepRecord(**{field.name: text for field in fields(StepRecord)})


def plant(path: Path, record: Mapping[str, Any], token: str) -> None:
    """Write a record as a run with this token would, with any content."""
    unsigned = {key: value for key, value in record.items() if key != "mac"}
    path.write_bytes(sign(json.dumps(unsigned).encode(), Secret(token)))
