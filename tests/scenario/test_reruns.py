"""RESTART in a repeated step: pods are not restarted twice for the same request."""

import json
from typing import Any

import pytest

from tests.sandbox import Behaviour
from tests.support.stage import RunResult, Stage, ticking

IMAGE = "team/web:1.4.1"
STEP = {"BITBUCKET_PIPELINE_UUID": "{p}", "BITBUCKET_STEP_UUID": "{s}"}


def restart(stage: Stage, run: int = 1, **environ: str) -> RunResult:
    """Run the step that restarts `web`, for the given time."""
    number = {"BITBUCKET_STEP_RUN_NUMBER": str(run)}
    return stage.deploy(IMAGE, RESTART="true", **{**STEP, **number, **environ})


def interrupt() -> None:
    """Raise what SIGTERM becomes inside a run."""
    raise KeyboardInterrupt


def interrupted(stage: Stage) -> Any:
    """Stop a first run two seconds after it began, and return the service."""
    web = stage.web()
    stage.clock.advance(86400.0)
    ticking(stage.clock, 2.0, interrupt)
    assert restart(stage).code == 11
    return web


def test_an_interrupted_restart_is_followed_not_repeated(stage: Stage) -> None:
    """The record identifies it; only the first run writes."""
    web = interrupted(stage)
    ending = restart(stage, 2)
    assert ending.code == 0
    assert "followed, not repeated" in ending.log
    assert web.starts == 2


def test_without_the_record_a_recent_restart_is_resumed(stage: Stage) -> None:
    """The portal holds the time of the restart, less than an hour ago."""
    web = interrupted(stage)
    ending = restart(stage, 2, REPORT_DIR="")
    assert ending.code == 0
    assert "followed, not repeated" in ending.log
    assert web.starts == 2


def test_without_the_record_an_old_restart_is_not_resumed(stage: Stage) -> None:
    """After more than an hour, the run counts as a new request."""
    web = interrupted(stage)
    stage.clock.advance(7200.0)
    assert restart(stage, 2, REPORT_DIR="").code == 0
    assert web.starts == 4


def test_a_first_run_always_restarts(stage: Stage) -> None:
    """Even if the service was restarted minutes ago."""
    web = interrupted(stage)
    assert restart(stage, 1).code == 0
    assert web.starts == 4


def test_another_step_always_restarts(stage: Stage) -> None:
    """The record of one step does not apply to another."""
    web = interrupted(stage)
    assert restart(stage, 1, BITBUCKET_STEP_UUID="{other}").code == 0
    assert web.starts == 4


@pytest.mark.parametrize("number", ["", "x", "-1", "2" * 400])
def test_an_invalid_run_number_counts_as_the_first(stage: Stage, number: str) -> None:
    """Outside of Bitbucket every run is a new one."""
    web = interrupted(stage)
    assert restart(stage, BITBUCKET_STEP_RUN_NUMBER=number).code == 0
    assert web.starts == 4


def test_a_finished_restart_is_repeated(stage: Stage) -> None:
    """Running a finished step again requests another restart; the record shows that it ended."""
    web = stage.web()
    assert restart(stage).code == 0
    assert restart(stage, 2).code == 0
    assert web.starts == 4


def test_a_run_interrupted_before_the_restart_is_repeated(stage: Stage) -> None:
    """The record was written but the request never sent: the target's version is unchanged."""
    web = stage.web()
    stage.world.intrude(lambda _: interrupt(), when=("POST", "Reboot", 1), moment="before")
    assert restart(stage).code == 11
    ending = restart(stage, 2)
    assert ending.code == 0
    assert web.starts == 2
    assert "was restarted" in ending.result


@pytest.mark.parametrize("shape", [{"statefulset": True}, {"platform": 0}, {"cloud": 2}])
def test_the_record_identifies_previous_pods_without_a_replica_set(
    stage: Stage, shape: dict[str, Any]
) -> None:
    """It holds their container ids, so that they are not taken for new pods."""
    stage.world.rollout_seconds = 10.0
    web = stage.web(**shape)
    ticking(stage.clock, 1.0, interrupt)
    assert restart(stage).code == 11
    ending = restart(stage, 2, STABLE_SECONDS="0")
    assert ending.code == 0
    assert web.starts == 2
    assert ending.seconds > 8.0


def test_the_record_holds_the_images_to_roll_back_to(stage: Stage) -> None:
    """For a portal without image history."""
    stage.web(history=False)
    stage.world.behave("team/web:bad", Behaviour("crash"))
    ticking(stage.clock, 1.0, interrupt)
    stage.deploy("team/web:bad")
    ending = stage.deploy("team/web:bad", ROLLBACK="true")
    assert ending.code == 8
    assert stage.world.service("web").image == IMAGE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "[" * 100_000,
        '{"targets": 7}',
        '{"targets": [7, {"name": null}], "portal": "https://portal.example", "tenant": "dev01"}',
        json.dumps(
            {
                "portal": "https://portal.example",
                "tenant": "dev01",
                "exit_code": None,
                "changed": True,
                "step": {"step": "{s}", "pipeline": "{p}", "run_number": []},
                "targets": [
                    {"name": "web", "previous_pods": 7, "after": [], "rollback_to": {"": 7}}
                ],
            }
        ),
    ],
)
def test_an_unusable_record_is_ignored(stage: Stage, text: str) -> None:
    """The run goes on and writes its own."""
    stage.web()
    stage.report_dir.mkdir()
    (stage.report_dir / "deploy.json").write_text(text, "utf-8")
    ending = stage.deploy(**STEP, BITBUCKET_STEP_RUN_NUMBER="1")
    assert ending.code == 0
    assert ending.report["exit_code"] == 0
