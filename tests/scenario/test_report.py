"""The files that a run writes."""

import shlex
from pathlib import Path

from tests.sandbox import Behaviour
from tests.support.stage import Stage


def test_the_record_covers_the_whole_run(stage: Stage) -> None:
    """deploy.json holds targets, timeline, outcome and exit code."""
    stage.web()
    report = stage.deploy(BITBUCKET_BUILD_NUMBER="42").report
    assert (report["outcome"], report["exit_code"]) == ("done", 0)
    assert report["tenant"] == "dev01"
    assert report["step"]["build_number"] == "42"
    (target,) = report["targets"]
    assert target["before"] == {"": "team/web:1.4.1"}
    assert target["after"] == {"": "team/web:1.4.2"}
    assert "2 pods up on team/web:1.4.2" in target["state"]
    assert target["timeline"][0]["old"] == 2
    assert target["timeline"][-1]["up"] == 2


def test_the_record_of_a_failure_holds_the_evidence(stage: Stage) -> None:
    """Faults and log lines outlive the pods they came from."""
    stage.web()
    stage.world.behave("team/web:bad", Behaviour("crash", log=["boom"]))
    report = stage.deploy("team/web:bad", ROLLBACK="true").report
    assert (report["outcome"], report["exit_code"]) == ("restored", 8)
    assert report["evidence"][0]["log"] == ["boom"]
    assert "Back-off" in report["evidence"][0]["faults"][0]


def test_deploy_env_can_be_sourced_with_any_image_name(stage: Stage) -> None:
    """Values are quoted for a shell."""
    stage.web("team/web:1.4.1$(touch hacked)")
    stage.deploy()
    lines = (stage.report_dir / "deploy.env").read_text("utf-8").splitlines()
    values = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    assert values["DEPLOY_PREVIOUS_IMAGE"] == "team/web:1.4.1$(touch hacked)"
    assert values["DEPLOY_OUTCOME"] == "done"
    assert values["DEPLOY_TARGETS"] == "web"


def test_a_report_that_cannot_be_written_is_a_warning(stage: Stage) -> None:
    """A file in place of the folder does not fail the deploy."""
    stage.web()
    blocked = stage.folder / "blocked"
    blocked.write_text("a file")
    ending = stage.deploy(REPORT_DIR=str(blocked / "below"))
    assert ending.code == 0
    assert "Cannot write the report" in ending.log


def test_without_a_report_folder_no_file_is_written(stage: Stage) -> None:
    """A local run leaves no files behind unless REPORT_DIR is set."""
    stage.web()
    assert stage.deploy(REPORT_DIR="", BITBUCKET_CLONE_DIR="").code == 0
    assert list(stage.folder.rglob("*")) == []


def test_reports_go_to_the_pipes_storage_folder_by_default(stage: Stage) -> None:
    """Bitbucket gives every pipe its own folder below the clone."""
    stage.web()
    storage = stage.folder / ".bitbucket" / "pipes" / "me"
    stage.deploy(REPORT_DIR="", BITBUCKET_PIPE_STORAGE_DIR=str(storage))
    names = sorted(path.name for path in Path(storage).iterdir())
    assert names == ["deploy.env", "deploy.html", "deploy.json"]


def test_text_from_the_portal_cannot_forge_log_lines(stage: Stage) -> None:
    """Its control characters neither start a new line nor change colours."""
    stage.web()
    stage.world.behave(
        "team/web:bad", Behaviour("crash", log=["evil\x1b[32m✔ deployed", "a\rb\u2028c"])
    )
    ending = stage.deploy("team/web:bad")
    assert "| evil [32m✔ deployed" in ending.log
    assert "\r" not in ending.text
    assert "\u2028" not in ending.text
