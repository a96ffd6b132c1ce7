"""Runs that are stopped: what they report, and how the next run resumes."""

import json

from tests.sandbox import Behaviour
from tests.support.stage import Stage, ticking


def interrupt() -> None:
    """Raise what SIGTERM and Ctrl-C become inside a run."""
    raise KeyboardInterrupt


def test_a_stop_during_the_rollout_reports_the_state_of_the_target(stage: Stage) -> None:
    """Exit 11; nothing is rolled back, and the platform goes on."""
    stage.web()
    ticking(stage.clock, 3.0, interrupt)
    ending = stage.deploy(ROLLBACK="true")
    assert ending.code == 11
    assert "Cancelled. Now: web is set to team/web:1.4.2" in ending.result
    assert "run the step again to follow it" in ending.log
    assert len(stage.world.writes()) == 1


def test_a_stop_before_the_change_changes_nothing(stage: Stage) -> None:
    """Exit 11, with a result that confirms it."""
    stage.web()
    stage.world.intrude(lambda _: interrupt(), when=("GET", "replicationcontroller/web", 2))
    ending = stage.deploy()
    assert ending.code == 11
    assert "Nothing was changed." in ending.result
    assert stage.world.write_attempts() == []


def test_the_next_run_resumes_the_rollout(stage: Stage) -> None:
    """The same step, run again, follows the rollout without a second write."""
    web = stage.web()
    ticking(stage.clock, 3.0, interrupt)
    stage.deploy()
    ending = stage.deploy(BITBUCKET_STEP_RUN_NUMBER="2")
    assert ending.code == 0
    assert "its rollout is followed" in ending.log
    assert web.starts == 2
    assert len(stage.world.writes()) == 1


def test_a_resumed_rollout_that_fails_is_rolled_back_from_history(stage: Stage) -> None:
    """The portal's history holds the previous image, so the second run knows it too."""
    stage.web()
    stage.world.behave("team/web:bad", Behaviour("crash"))
    ticking(stage.clock, 1.0, interrupt)
    stage.deploy("team/web:bad")
    ending = stage.deploy("team/web:bad", ROLLBACK="true")
    assert ending.code == 8
    assert stage.world.service("web").image == "team/web:1.4.1"


def test_a_resumed_rollout_without_history_is_not_rolled_back(stage: Stage) -> None:
    """The previous image is unknown: exit 9, and nothing is changed."""
    stage.web(history=False)
    stage.world.behave("team/web:bad", Behaviour("crash"))
    ticking(stage.clock, 1.0, interrupt)
    stage.deploy("team/web:bad", REPORT_DIR="")
    ending = stage.deploy("team/web:bad", ROLLBACK="true", REPORT_DIR="")
    assert ending.code == 9
    assert "its previous image is unknown" in ending.result
    assert len(stage.world.writes()) == 1


def test_the_images_to_roll_back_to_are_on_disk_before_the_first_write(stage: Stage) -> None:
    """A kill at any later moment leaves a record to roll back from."""
    stage.web()
    seen = []

    def look(_: object) -> None:
        seen.append(json.loads((stage.report_dir / "deploy.json").read_text("utf-8")))

    stage.world.intrude(look, when=("PUT", "containerimage", 1), moment="before")
    stage.deploy()
    assert seen[0]["outcome"] == "running"
    assert seen[0]["targets"][0]["rollback_to"] == {"": "team/web:1.4.1"}
