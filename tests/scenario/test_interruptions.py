"""Runs that are stopped: what they report, and how the next run resumes."""

import json

from tests.sandbox import Behaviour
from tests.support.harness import Harness, at_time


def interrupt() -> None:
    """Raise what SIGTERM and Ctrl-C become inside a run."""
    raise KeyboardInterrupt


def test_a_stop_during_the_rollout_reports_the_state_of_the_target(harness: Harness) -> None:
    """Exit 11; nothing is rolled back, and the platform goes on."""
    harness.web()
    at_time(harness.clock, 3.0, interrupt)
    run_result = harness.deploy(ROLLBACK="true")
    assert run_result.code == 11
    assert "Cancelled. Now: web is set to team/web:1.4.2" in run_result.stdout
    assert "run the step again to follow it" in run_result.log
    assert len(harness.world.writes()) == 1


def test_a_stop_before_the_change_changes_nothing(harness: Harness) -> None:
    """Exit 11, with a result that confirms it."""
    harness.web()
    harness.world.intrude(lambda _: interrupt(), when=("GET", "replicationcontroller/web", 2))
    run_result = harness.deploy()
    assert run_result.code == 11
    assert "Nothing was changed." in run_result.stdout
    assert harness.world.write_attempts() == []


def test_the_next_run_resumes_the_rollout(harness: Harness) -> None:
    """The same step, run again, follows the rollout without a second write."""
    web = harness.web()
    at_time(harness.clock, 3.0, interrupt)
    harness.deploy()
    run_result = harness.deploy(BITBUCKET_STEP_RUN_NUMBER="2")
    assert run_result.code == 0
    assert "its rollout is followed" in run_result.log
    assert web.starts == 2
    assert len(harness.world.writes()) == 1


def test_a_resumed_rollout_that_fails_is_rolled_back_from_history(harness: Harness) -> None:
    """The portal's history holds the previous image, so the second run knows it too."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash"))
    at_time(harness.clock, 1.0, interrupt)
    harness.deploy("team/web:bad")
    run_result = harness.deploy("team/web:bad", ROLLBACK="true")
    assert run_result.code == 8
    assert harness.world.service("web").image == "team/web:1.4.1"


def test_a_resumed_rollout_without_history_is_not_rolled_back(harness: Harness) -> None:
    """Without a record either, nothing proves that this step made the change: exit 10."""
    harness.web(history=False)
    harness.world.behave("team/web:bad", Behaviour("crash"))
    at_time(harness.clock, 1.0, interrupt)
    harness.deploy("team/web:bad", REPORT_DIR="")
    run_result = harness.deploy("team/web:bad", ROLLBACK="true", REPORT_DIR="")
    assert run_result.code == 10
    assert "nothing shows that this step deployed it" in run_result.log
    assert len(harness.world.writes()) == 1


def test_the_images_to_roll_back_to_are_on_disk_before_the_first_write(harness: Harness) -> None:
    """A kill at any later moment leaves a record to roll back from."""
    harness.web()
    seen = []

    def look(_: object) -> None:
        seen.append(json.loads((harness.report_dir / "deploy.json").read_text("utf-8")))

    harness.world.intrude(look, when=("PUT", "containerimage", 1), moment="before")
    harness.deploy()
    assert seen[0]["outcome"] == "running"
    assert seen[0]["targets"][0]["rollback_to"] == {"": "team/web:1.4.1"}
