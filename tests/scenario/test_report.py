"""The files that a run writes."""

import shlex
from pathlib import Path

from tests.sandbox import Behaviour
from tests.support.harness import Harness


def test_the_record_covers_the_whole_run(harness: Harness) -> None:
    """deploy.json holds targets, timeline, outcome and exit code."""
    harness.web()
    report = harness.deploy(BITBUCKET_BUILD_NUMBER="42").report
    assert (report["outcome"], report["exit_code"]) == ("done", 0)
    assert report["tenant"] == "dev01"
    assert report["step"]["build_number"] == "42"
    (target,) = report["targets"]
    assert target["before"] == {"": "team/web:1.4.1"}
    assert target["after"] == {"": "team/web:1.4.2"}
    assert "2 pods up on team/web:1.4.2" in target["state"]
    assert target["timeline"][0]["old"] == 2
    assert target["timeline"][-1]["up"] == 2


def test_the_record_of_a_failure_holds_the_evidence(harness: Harness) -> None:
    """Faults and log lines outlive the pods they came from."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash", log=["boom"]))
    report = harness.deploy("team/web:bad", ROLLBACK="true").report
    assert (report["outcome"], report["exit_code"]) == ("restored", 8)
    assert report["evidence"][0]["log"] == ["boom"]
    assert "Back-off" in report["evidence"][0]["faults"][0]


def test_deploy_env_can_be_sourced_with_any_image_name(harness: Harness) -> None:
    """Values are quoted for a shell."""
    harness.web("team/web:1.4.1$(touch hacked)")
    harness.deploy()
    lines = (harness.report_dir / "deploy.env").read_text("utf-8").splitlines()
    values = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    assert values["DEPLOY_PREVIOUS_IMAGE"] == "team/web:1.4.1$(touch hacked)"
    assert values["DEPLOY_OUTCOME"] == "done"
    assert values["DEPLOY_TARGETS"] == "web"


def test_a_report_that_cannot_be_written_is_a_warning(harness: Harness) -> None:
    """A file in place of the folder does not fail the deploy."""
    harness.web()
    blocked = harness.folder / "blocked"
    blocked.write_text("a file")
    result = harness.deploy(REPORT_DIR=str(blocked / "below"))
    assert result.code == 0
    assert "Cannot write the report" in result.log


def test_without_a_report_folder_no_file_is_written(harness: Harness) -> None:
    """A local run leaves no files behind unless REPORT_DIR is set."""
    harness.web()
    assert harness.deploy(REPORT_DIR="", BITBUCKET_CLONE_DIR="").code == 0
    assert list(harness.folder.rglob("*")) == []


def test_reports_go_to_the_pipes_storage_folder_by_default(harness: Harness) -> None:
    """Bitbucket gives every pipe its own folder below the clone."""
    harness.web()
    storage = harness.folder / ".bitbucket" / "pipes" / "me"
    harness.deploy(REPORT_DIR="", BITBUCKET_PIPE_STORAGE_DIR=str(storage))
    names = sorted(path.name for path in Path(storage).iterdir())
    assert names == ["deploy.env", "deploy.html", "deploy.json"]


def test_text_from_the_portal_cannot_forge_log_lines(harness: Harness) -> None:
    """Its control characters neither start a new line nor change colours."""
    harness.web()
    harness.world.behave(
        "team/web:bad", Behaviour("crash", log=["evil\x1b[32m✔ deployed", "a\rb\u2028c"])
    )
    result = harness.deploy("team/web:bad")
    assert "| evil [32m✔ deployed" in result.log
    assert "\r" not in result.text
    assert "\u2028" not in result.text
