"""RESTART in a repeated step: pods are not restarted twice for the same request."""

import json
from typing import Any

import pytest

from pipe.report.authenticity import sign
from pipe.secret import Secret
from tests.sandbox import Behaviour
from tests.support.harness import Harness, RunResult, at_time

IMAGE = "team/web:1.4.1"
STEP = {"BITBUCKET_PIPELINE_UUID": "{p}", "BITBUCKET_STEP_UUID": "{s}"}


def restart(harness: Harness, run: int = 1, **environ: str) -> RunResult:
    """Run the step that restarts `web`, for the given time."""
    number = {"BITBUCKET_STEP_RUN_NUMBER": str(run)}
    return harness.deploy(IMAGE, RESTART="true", **{**STEP, **number, **environ})


def interrupt() -> None:
    """Raise what SIGTERM becomes inside a run."""
    raise KeyboardInterrupt


def interrupted(harness: Harness) -> Any:
    """Stop a first run two seconds after it began, and return the service."""
    web = harness.web()
    harness.clock.advance(86400.0)
    at_time(harness.clock, 2.0, interrupt)
    assert restart(harness).code == 11
    return web


def test_an_interrupted_restart_is_followed_not_repeated(harness: Harness) -> None:
    """The record identifies it; only the first run writes."""
    web = interrupted(harness)
    result = restart(harness, 2)
    assert result.code == 0
    assert "followed, not repeated" in result.log
    assert web.starts == 2


def test_without_the_record_a_recent_restart_is_resumed(harness: Harness) -> None:
    """The portal holds the time of the restart, less than an hour ago."""
    web = interrupted(harness)
    result = restart(harness, 2, REPORT_DIR="")
    assert result.code == 0
    assert "followed, not repeated" in result.log
    assert web.starts == 2


def test_without_the_record_an_old_restart_is_not_resumed(harness: Harness) -> None:
    """After more than an hour, the run counts as a new request."""
    web = interrupted(harness)
    harness.clock.advance(7200.0)
    assert restart(harness, 2, REPORT_DIR="").code == 0
    assert web.starts == 4


def test_a_first_run_always_restarts(harness: Harness) -> None:
    """Even if the service was restarted minutes ago."""
    web = interrupted(harness)
    assert restart(harness, 1).code == 0
    assert web.starts == 4


def test_another_step_always_restarts(harness: Harness) -> None:
    """The record of one step does not apply to another."""
    web = interrupted(harness)
    assert restart(harness, 1, BITBUCKET_STEP_UUID="{other}").code == 0
    assert web.starts == 4


@pytest.mark.parametrize("number", ["", "x", "-1", "2" * 400])
def test_an_invalid_run_number_counts_as_the_first(harness: Harness, number: str) -> None:
    """Outside of Bitbucket every run is a new one."""
    web = interrupted(harness)
    assert restart(harness, BITBUCKET_STEP_RUN_NUMBER=number).code == 0
    assert web.starts == 4


def test_a_finished_restart_is_repeated(harness: Harness) -> None:
    """Running a finished step again requests another restart; the record shows that it ended."""
    web = harness.web()
    assert restart(harness).code == 0
    assert restart(harness, 2).code == 0
    assert web.starts == 4


def test_a_run_interrupted_before_the_restart_is_repeated(harness: Harness) -> None:
    """The record was written but the request never sent: the target's version is unchanged."""
    web = harness.web()
    harness.world.intrude(lambda _: interrupt(), when=("POST", "Reboot", 1), moment="before")
    assert restart(harness).code == 11
    result = restart(harness, 2)
    assert result.code == 0
    assert web.starts == 2
    assert "was restarted" in result.stdout


@pytest.mark.parametrize("shape", [{"statefulset": True}, {"platform": 0}, {"cloud": 2}])
def test_the_record_identifies_previous_pods_without_a_replica_set(
    harness: Harness, shape: dict[str, Any]
) -> None:
    """It holds their container ids, so that they are not taken for new pods."""
    harness.world.rollout_seconds = 10.0
    web = harness.web(**shape)
    at_time(harness.clock, 1.0, interrupt)
    assert restart(harness).code == 11
    result = restart(harness, 2, STABLE_SECONDS="0")
    assert result.code == 0
    assert web.starts == 2
    assert result.seconds > 8.0


@pytest.mark.parametrize("attempts", [2, 3])
def test_the_record_identifies_previous_pods_whatever_their_successors_show(
    harness: Harness, attempts: int
) -> None:
    """The kubelet knows the new image by another tag, and no history excludes that it is old."""
    harness.world.show_image_as("team/web:1.4.2", "team/web:nightly")
    harness.world.rollout_seconds = 30.0
    web = harness.web(history=False)
    for number in range(1, attempts):
        at_time(harness.clock, 2.0, interrupt)
        assert harness.deploy(**STEP, BITBUCKET_STEP_RUN_NUMBER=str(number)).code == 11
    result = harness.deploy(**STEP, BITBUCKET_STEP_RUN_NUMBER=str(attempts), WAIT_TIMEOUT="120")
    assert "its rollout is followed" in result.log
    assert result.code == 0
    assert web.image == "team/web:1.4.2"


def test_there_is_nothing_to_change_where_the_kubelet_shows_another_tag(harness: Harness) -> None:
    """Builds that are tagged twice have two names on a node."""
    harness.world.show_image_as("team/web:1.4.2", "team/web:nightly")
    harness.web()
    assert harness.deploy().code == 0
    result = harness.deploy(WAIT_TIMEOUT="60")
    assert result.code == 0
    assert "Nothing to change" in result.stdout


def test_an_interrupted_update_is_followed_with_the_pods_from_before_it(harness: Harness) -> None:
    """Only they are certainly previous: new pods may show another name for the same image."""
    harness.world.rollout_seconds = 10.0
    harness.web()
    at_time(harness.clock, 1.0, interrupt)
    first = harness.deploy("team/web:1.4.2", **STEP, BITBUCKET_STEP_RUN_NUMBER="1")
    again = harness.deploy("team/web:1.4.2", **STEP, BITBUCKET_STEP_RUN_NUMBER="2")
    assert (first.code, again.code) == (11, 0)
    (before,), (after,) = (run.report["targets"] for run in (first, again))
    assert before["previous_pods"]
    assert after["previous_pods"] == before["previous_pods"]


def test_the_record_holds_the_images_to_roll_back_to(harness: Harness) -> None:
    """For a portal without image history."""
    harness.web(history=False)
    harness.world.behave("team/web:bad", Behaviour("crash"))
    at_time(harness.clock, 1.0, interrupt)
    harness.deploy("team/web:bad")
    result = harness.deploy("team/web:bad", ROLLBACK="true")
    assert result.code == 8
    assert harness.world.service("web").image == IMAGE


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
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_an_unusable_record_is_ignored(harness: Harness, text: str, signed: bool) -> None:
    """The run goes on and writes its own."""
    harness.web()
    harness.report_dir.mkdir()
    token = Secret(harness.world.token)
    content = sign(text.encode(), token) if signed else text.encode()
    (harness.report_dir / "deploy.json").write_bytes(content)
    result = harness.deploy(**STEP, BITBUCKET_STEP_RUN_NUMBER="1")
    assert result.code == 0
    assert result.report["exit_code"] == 0
