"""deploy.json against its schema, for every outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from pipe.errors import ExitCode
from pipe.report import Recorder, files
from pipe.secret import Mask
from pipe.settings import Settings
from tests.sandbox import ApiFault, Behaviour
from tests.sandbox.commands import Command
from tests.support.harness import Harness

SCHEMA = json.loads(Path("schema/deploy.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())

STEP = {
    "BITBUCKET_WORKSPACE": "acme",
    "BITBUCKET_REPO_SLUG": "shop",
    "BITBUCKET_BUILD_NUMBER": "812",
    "BITBUCKET_STEP_UUID": "{1f2e}",
    "BITBUCKET_STEP_RUN_NUMBER": "1",
}


def test_the_schema_is_valid() -> None:
    """Draft 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_lists_every_outcome() -> None:
    """One for each exit code, and one for a run that was killed."""
    names = {code.name.lower().replace("_", "-") for code in ExitCode}
    assert set(SCHEMA["properties"]["outcome"]["enum"]) == {"running", *names}


@pytest.mark.parametrize(
    ("outcome", "variables"),
    [
        ("done", {}),
        ("done", {"DRY_RUN": "true"}),
        ("done", {"IMAGE": "team/web:1.4.1"}),
        ("done", {"IMAGE": "team/web:1.4.1", "RESTART": "true", **STEP}),
        ("done", {"IMAGE": f"team/web@sha256:{'a' * 64}", "POST_DEPLOY_TEST": "echo hi"}),
        ("done", {"ACTION": "run", "IMAGE": "", "COMMAND": "./report"}),
        ("pre-test", {"PRE_DEPLOY_TEST": "exit 1"}),
        ("pre-test", {"RELEASE_COMMAND": "./broken"}),
        ("configuration", {"POST_DEPLOY_URL": "/x"}),
        ("platform", {"SERVICE": "missing"}),
        ("failed", {"IMAGE": "team/web:bad"}),
        ("restored", {"IMAGE": "team/web:bad", "ROLLBACK": "true", **STEP}),
        ("restored", {"POST_DEPLOY_TEST": "exit 1", "ROLLBACK": "true"}),
        ("identity", {"DUPLO_TOKEN": "wrong-token-0123456789"}),
    ],
)
def test_every_outcome_fits_the_schema(
    harness: Harness, outcome: str, variables: dict[str, str]
) -> None:
    """Success, refusal, failure and rollback."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash", log=["boom"]))
    harness.world.command("./broken", Command(exit_code=1, lines=((0, "boom"),)))
    report = harness.deploy(**variables).report
    assert report["outcome"] == outcome
    VALIDATOR.validate(report)


def test_the_record_of_a_killed_run_fits_the_schema(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written before the first change, with the outcome `running`."""
    harness.web()
    written: list[Any] = []
    write = files.write

    def write_and_read(settings: Settings, recorder: Recorder, mask: Mask) -> None:
        write(settings, recorder, mask)
        written.append(json.loads((harness.report_dir / "deploy.json").read_text("utf-8")))

    monkeypatch.setattr("pipe.report.write", write_and_read)
    harness.deploy()
    assert [record["outcome"] for record in written] == ["running", "done"]
    for record in written:
        VALIDATOR.validate(record)


def test_the_record_of_a_rollout_lost_from_sight_fits_the_schema(harness: Harness) -> None:
    """The portal refuses every request after the change."""
    harness.web()
    harness.world.script(ApiFault("GET", "GetPods", kind="status", status=403, skip=1, times=9999))
    report = harness.deploy().report
    assert report["outcome"] == "platform"
    assert report["targets"][0]["passed"] is False
    VALIDATOR.validate(report)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "great"},
        {"exit_code": 12},
        {"finished": None},
        {"tests": [{}]},
        {"surprise": 1},
    ],
)
def test_the_schema_rejects_invalid_records(harness: Harness, changes: dict[str, Any]) -> None:
    """Otherwise the tests above would prove nothing."""
    harness.web()
    report = {**harness.deploy().report, **changes}
    assert not VALIDATOR.is_valid(report)
