"""RESTART in a step that is run again: pods are not restarted a second time for the same request."""

import json
from typing import Any

import pytest

from tests.sandbox import Behaviour
from tests.support.stage import RunResult, Stage, ticking

IMAGE = "team/web:1.4.1"
STEP = {"BITBUCKET_PIPELINE_UUID": "{p}", "BITBUCKET_STEP_UUID": "{s}"}


def restart(stage: Stage, run: int = 1, **environ: str) -> RunResult:
    """Run number `run` of a step that restarts `web`."""
    number = {"BITBUCKET_STEP_RUN_NUMBER": str(run)}
    return stage.deploy(IMAGE, RESTART="true", **{**STEP, **number, **environ})


def interrupt() -> None:
    """What SIGTERM becomes inside a run."""
    raise KeyboardInterrupt


def interrupted(stage: Stage) -> Any:
    """A first run that is stopped two seconds after it began."""
    web = stage.web()
    stage.clock.advance(86400.0)
    ticking(stage.clock, 2.0, interrupt)
    assert restart(stage).code == 11
    return web


def test_a_restart_that_was_cut_off_is_followed_not_repeated(stage: Stage) -> None:
    """The record tells: the plan says so, and only the first run wrote."""
    web = interrupted(stage)
    ending = restart(stage, 2)
    assert ending.code == 0
    assert "followed, not repeated" in ending.log
    assert web.starts == 2


def test_without_the_record_a_recent_restart_is_taken_for_our_own(stage: Stage) -> None:
    """A step that is run again within the hour finds the time of the restart at the portal."""
    web = interrupted(stage)
    ending = restart(stage, 2, REPORT_DIR="")
    assert ending.code == 0
    assert "followed, not repeated" in ending.log
    assert web.starts == 2


def test_without_the_record_an_old_restart_is_nobodys(stage: Stage) -> None:
    """After more than an hour the request is taken for a new one."""
    web = interrupted(stage)
    stage.clock.advance(7200.0)
    assert restart(stage, 2, REPORT_DIR="").code == 0
    assert web.starts == 4


def test_a_first_run_always_restarts(stage: Stage) -> None:
    """A restart minutes ago is no reason not to do what was asked."""
    web = interrupted(stage)
    assert restart(stage, 1).code == 0
    assert web.starts == 4


def test_another_step_always_restarts(stage: Stage) -> None:
    """The record of one step says nothing about another's request."""
    web = interrupted(stage)
    assert restart(stage, 1, BITBUCKET_STEP_UUID="{other}").code == 0
    assert web.starts == 4


@pytest.mark.parametrize("number", ["", "x", "-1", "2" * 400])
def test_run_numbers_that_are_none_are_the_first(stage: Stage, number: str) -> None:
    """Outside Bitbucket every run is a new one."""
    web = interrupted(stage)
    assert restart(stage, BITBUCKET_STEP_RUN_NUMBER=number).code == 0
    assert web.starts == 4


def test_a_restart_that_came_to_its_end_is_repeated_on_request(stage: Stage) -> None:
    """Whoever runs a finished step again asks for another restart; the record knows it ended."""
    web = stage.web()
    assert restart(stage).code == 0
    assert restart(stage, 2).code == 0
    assert web.starts == 4


def test_a_run_that_was_cut_off_before_the_restart_restarts_now(stage: Stage) -> None:
    """The record was written, the request never sent: the target's version is the same."""
    web = stage.web()
    stage.world.intrude(lambda _: interrupt(), when=("POST", "Reboot", 1), moment="before")
    assert restart(stage).code == 11
    ending = restart(stage, 2)
    assert ending.code == 0
    assert web.starts == 2
    assert "was restarted" in ending.result


@pytest.mark.parametrize("shape", [{"statefulset": True}, {"platform": 0}, {"cloud": 2}])
def test_pods_without_a_replica_set_are_told_apart_by_the_record(
    stage: Stage, shape: dict[str, Any]
) -> None:
    """Container ids of before are in the record, so old pods are not taken for new ones."""
    stage.world.rollout_seconds = 10.0
    web = stage.web(**shape)
    ticking(stage.clock, 1.0, interrupt)
    assert restart(stage).code == 11
    ending = restart(stage, 2, STABLE_SECONDS="0")
    assert ending.code == 0
    assert web.starts == 2
    assert ending.seconds > 8.0


def test_the_way_back_is_known_from_the_record(stage: Stage) -> None:
    """A portal without image history is no reason not to know what ran before."""
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
                "targets": [{"name": "web", "previous_pods": 7, "after": [], "back": {"": 7}}],
            }
        ),
    ],
)
def test_a_record_that_is_none_is_ignored(stage: Stage, text: str) -> None:
    """Whatever lies where the record should be: the run goes on, and writes its own."""
    stage.web()
    stage.report_dir.mkdir()
    (stage.report_dir / "deploy.json").write_text(text, "utf-8")
    ending = stage.deploy(**STEP, BITBUCKET_STEP_RUN_NUMBER="1")
    assert ending.code == 0
    assert ending.report["exit_code"] == 0
