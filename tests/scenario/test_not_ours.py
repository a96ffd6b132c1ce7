"""What this step did not deploy is followed, and never rolled back."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.sandbox import Behaviour
from tests.support.environment import NEW_IMAGE, OLD_IMAGE, STEP
from tests.support.harness import Harness, at_time

MAIN = "duplo-main-container"
AGAIN = {**STEP, "BITBUCKET_STEP_RUN_NUMBER": "2"}


def interrupt() -> None:
    """Raise what SIGTERM becomes inside a run."""
    raise KeyboardInterrupt


def deployed_by_others(harness: Harness, **options: Any) -> Any:
    """Return a service that another pipeline deployed, and that has one pod too many to place."""
    web = harness.web(hpa=(2, 6), hpa_replicas=2, **options)
    web.set_images({MAIN: NEW_IMAGE}, "another-user")
    harness.clock.advance(7 * 86400.0)
    harness.world.behave(NEW_IMAGE, Behaviour("unschedulable"))
    web.hpa_replicas = 3
    web.roll()
    harness.clock.advance(30.0)
    return web


@pytest.mark.parametrize("step", [{}, STEP, AGAIN], ids=["local", "step", "repeated step"])
def test_a_version_of_another_pipeline_is_never_rolled_back(
    harness: Harness, step: dict[str, str]
) -> None:
    """The history names a previous image, and proves nothing about this step."""
    web = deployed_by_others(harness)
    result = harness.deploy(ROLLBACK="true", WAIT_TIMEOUT="60", **step)
    assert result.code in (0, 10)
    assert web.image == NEW_IMAGE
    assert harness.world.write_attempts() == []


def test_a_test_that_fails_does_not_roll_back_what_another_pipeline_deployed(
    harness: Harness,
) -> None:
    """In a repeated step the tests run again; the remedy says why nothing was rolled back."""
    web = harness.web()
    web.set_images({MAIN: NEW_IMAGE}, "another-user")
    harness.clock.advance(60.0)
    result = harness.deploy(ROLLBACK="true", POST_DEPLOY_TEST="exit 1", **AGAIN)
    assert (result.code, web.image) == (10, NEW_IMAGE)
    assert "nothing shows that this step deployed it" in result.log
    assert harness.world.write_attempts() == []


def test_following_twice_does_not_make_a_version_ours(harness: Harness) -> None:
    """The record of a run that only followed proves nothing to the next one."""
    web = harness.web()
    web.set_images({MAIN: NEW_IMAGE}, "another-user")
    at_time(harness.clock, 1.0, interrupt)
    assert harness.deploy(ROLLBACK="true", **STEP).code == 11
    result = harness.deploy(ROLLBACK="true", POST_DEPLOY_TEST="exit 1", **AGAIN)
    assert (result.code, web.image) == (10, NEW_IMAGE)


def test_an_unchanged_target_of_a_recorded_run_is_not_ours(harness: Harness) -> None:
    """That run changed another target."""
    web = harness.web(NEW_IMAGE)
    web.set_images({MAIN: OLD_IMAGE}, "another-user")
    web.set_images({MAIN: NEW_IMAGE}, "another-user")
    harness.clock.advance(60.0)
    api = harness.world.add_service("api", OLD_IMAGE)
    both = {"SERVICE": "web,api", "ROLLBACK": "true"}
    assert harness.deploy(**both, **STEP).code == 0
    harness.deploy(**both, POST_DEPLOY_TEST="exit 1", **AGAIN)
    assert (web.image, api.image) == (NEW_IMAGE, OLD_IMAGE)


@pytest.mark.parametrize(
    ("minutes", "user", "code"),
    [(50, "ci-bot", 8), (70, "ci-bot", 10), (50, "another-user", 10)],
    ids=["recent", "older", "of another user"],
)
def test_the_history_proves_what_the_tokens_user_did_within_the_hour(
    harness: Harness, minutes: int, user: str, code: int
) -> None:
    """For a step that is run again without the record of its first run."""
    web = harness.web()
    harness.clock.advance(86400.0)
    harness.world.advance()
    web.set_images({MAIN: NEW_IMAGE}, user)
    harness.clock.advance(minutes * 60.0)
    harness.world.advance()
    web.restart()
    harness.clock.advance(30.0)
    result = harness.deploy(ROLLBACK="true", POST_DEPLOY_TEST="exit 1", **AGAIN)
    assert (result.code, web.image) == (code, OLD_IMAGE if code == 8 else NEW_IMAGE)


def resumed_sidecar(harness: Harness) -> Any:
    """Stop the deploy of a sidecar, after which others change the main container."""
    web = harness.web(sidecars={"log": "team/log:3"})
    harness.clock.advance(100.0)
    at_time(harness.clock, 1.0, interrupt)
    variables = {"SERVICE": "", "SERVICES": "web/log=team/log:4"}
    assert harness.deploy("", **variables, **STEP).code == 11
    harness.clock.advance(100.0)
    return web


@pytest.mark.parametrize("history", [True, False])
def test_a_resumed_sidecar_change_rolls_back_the_sidecar(harness: Harness, history: bool) -> None:
    """And never the main container."""
    web = resumed_sidecar(harness)
    web.keeps_history = history
    variables = {"SERVICE": "", "SERVICES": "web/log=team/log:4", "ROLLBACK": "true"}
    result = harness.deploy("", **variables, POST_DEPLOY_TEST="exit 1", **AGAIN)
    assert result.code == 8
    assert (web.image, web.sidecars) == (OLD_IMAGE, {"log": "team/log:3"})


def test_a_resumed_sidecar_change_is_left_alone_without_a_record(harness: Harness) -> None:
    """Others changed the main container meanwhile, which is the history's last entry."""
    web = resumed_sidecar(harness)
    web.set_images({MAIN: NEW_IMAGE}, "another-user")
    shutil.rmtree(harness.report_dir)
    variables = {"SERVICE": "", "SERVICES": "web/log=team/log:4", "ROLLBACK": "true"}
    result = harness.deploy("", **variables, POST_DEPLOY_TEST="exit 1", **AGAIN)
    assert result.code == 10
    assert (web.image, web.sidecars) == (NEW_IMAGE, {"log": "team/log:4"})
