"""Lambda functions."""

from __future__ import annotations

import pytest

from pipe.kinds.full_names import full_name
from tests.sandbox import ApiFault, Behaviour
from tests.support.harness import Harness

ACCOUNT = "111122223333"


@pytest.mark.parametrize("name", ["resize", f"duploservices-dev01-resize-{ACCOUNT}"])
def test_a_function_has_a_short_and_a_full_name(harness: Harness, name: str) -> None:
    """Users may give the name that the portal shows."""
    function = harness.world.functions.add("resize", "team/resize:1")
    assert harness.run(KIND="lambda", SERVICE=name, IMAGE="team/resize:2").code == 0
    assert function.image == "team/resize:2"
    assert function.status == "Successful"


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (["duploservices-dev01-fn"], "duploservices-dev01-fn"),
        (["fn", "duploservices-dev01-fn"], "fn"),
        (
            ["other-dev01-fn", f"duploservices-dev01-fn-{ACCOUNT}"],
            f"duploservices-dev01-fn-{ACCOUNT}",
        ),
        (["other-dev01-fn"], "other-dev01-fn"),
        (["one-dev01-fn", "two-dev01-fn"], None),
        (["duploservices-dev02-fn", "duploservices-dev01-fn-2"], None),
    ],
)
def test_a_short_name_must_match_exactly_one_function(known: list[str], found: str | None) -> None:
    """Several matches count as none."""
    assert full_name("fn", "dev01", known) == found


def test_a_rollout_is_ready_once_aws_has_finished(harness: Harness) -> None:
    """The portal's reply comes before the update is complete."""
    harness.world.functions.add("resize", "team/resize:1")
    harness.world.behave("team/resize:2", Behaviour(seconds=30.0))
    before = harness.clock.monotonic()
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert 30 <= harness.clock.monotonic() - before <= 31


def test_a_list_that_lags_behind_is_not_taken_for_the_result(harness: Harness) -> None:
    """Right after the call the list may show the previous state."""
    function = harness.world.functions.add("resize", "team/resize:1")
    function.listed_late = 10.0
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert harness.clock.elapsed >= 10


def test_an_update_in_progress_is_waited_for(harness: Harness) -> None:
    """AWS accepts one update at a time; its refusal is retried."""
    function = harness.world.functions.add("resize", "team/resize:1")
    harness.world.behave("team/resize:theirs", Behaviour(seconds=20.0))
    harness.world.intrude(
        lambda _: function.update("team/resize:theirs"),
        when=("POST", "UpdateLambdaFunction$", 1),
        moment="before",
    )
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert function.image == "team/resize:2"


def test_a_failed_update_reports_the_reason_from_aws(harness: Harness) -> None:
    """With ROLLBACK the previous image is verified."""
    function = harness.world.functions.add("resize", "team/resize:1")
    harness.world.behave("team/resize:2", Behaviour("pull-error", fault="image not found in ECR"))
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 10
    assert "image not found in ECR" in harness.output
    assert harness.run(SERVICES="lambda:resize=team/resize:2", ROLLBACK="true").code == 8
    assert function.image == "team/resize:1"


def test_after_a_lost_reply_the_function_is_not_updated_again(harness: Harness) -> None:
    """The function is read back instead."""
    function = harness.world.functions.add("resize", "team/resize:1")
    harness.world.script(ApiFault("POST", "UpdateLambdaFunction$", "reset-after"))
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert function.updates == 1


def test_an_update_by_another_deployment_is_not_a_success(harness: Harness) -> None:
    """The image decides, not the status Successful."""
    function = harness.world.functions.add("resize", "team/resize:1")
    harness.world.intrude(lambda _: function.update("team/resize:theirs"), after=2.5)
    assert harness.run(SERVICES="lambda:resize=team/resize:2", STABLE_SECONDS="0").code in (0, 7)
    harness.clock.advance(10)
    harness.world.behave("team/resize:3", Behaviour(seconds=1.0))
    harness.world.behave("team/resize:4", Behaviour(seconds=0.1))
    harness.world.intrude(lambda _: function.update("team/resize:4"), after=1.2)
    function.listed_late = 5.0
    assert harness.run(SERVICES="lambda:resize=team/resize:3").code == 7


def test_a_zip_function_is_refused(harness: Harness) -> None:
    """It has no image to change."""
    harness.world.functions.add("resize", "team/resize:1", package="Zip")
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 4
    assert "runs no container image" in harness.output
    assert harness.world.writes() == []


@pytest.mark.parametrize("rollback", ["true", "false"])
def test_a_list_without_status_is_no_reason_to_wait_for_ever(
    harness: Harness, rollback: str
) -> None:
    """AWS's own list shows no status; the function by itself does."""
    function = harness.world.functions.add("resize", "team/resize:1")
    function.lists_status = False
    limits = {"WAIT_TIMEOUT": "60", "ROLLBACK": rollback}
    assert harness.run(SERVICES="lambda:resize=team/resize:2", **limits).code == 0
    assert function.image == "team/resize:2"
    harness.world.behave("team/resize:3", Behaviour("pull-error", fault="image not found in ECR"))
    expected = 8 if rollback == "true" else 10
    assert harness.run(SERVICES="lambda:resize=team/resize:3", **limits).code == expected
    assert "AWS could not update it: image not found in ECR" in harness.output


@pytest.mark.parametrize(("status", "state"), [("Failed", "Active"), ("Successful", "Failed")])
def test_a_failure_from_before_the_update_is_not_its_own(
    harness: Harness, status: str, state: str
) -> None:
    """The list may go on to show it for a while."""
    function = harness.world.functions.add("resize", "team/resize:1")
    function.status, function.state, function.listed_late = status, state, 5.0
    function.reason = function.state_reason = "the role cannot be assumed"
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert (function.image, function.state) == ("team/resize:2", "Active")


def test_a_function_that_cannot_start_is_not_ready_although_its_update_succeeded(
    harness: Harness,
) -> None:
    """The reason for that is another field."""
    function = harness.world.functions.add("resize", "team/resize:1")
    succeed = function.complete

    def cannot_start() -> None:
        succeed()
        function.state, function.state_reason = "Failed", "The image has no entry point"

    function.complete = cannot_start
    assert harness.run(SERVICES="lambda:resize=team/resize:2").code == 10
    assert "AWS could not start it: The image has no entry point" in harness.output


def test_a_function_that_cannot_start_is_updated_again(harness: Harness) -> None:
    """Nothing else revives it, even if it has the image already."""
    function = harness.world.functions.add("resize", "team/resize:1")
    function.state = "Failed"
    assert harness.run(SERVICES="lambda:resize=team/resize:1").code == 0
    assert (function.updates, function.state) == (1, "Active")


def test_the_two_names_of_a_function_are_one_target(harness: Harness) -> None:
    """It cannot be set to two images."""
    harness.world.functions.add("resize", "team/resize:1")
    both = f"lambda:resize=t:2 lambda:duploservices-dev01-resize-{ACCOUNT}=t:3"
    assert harness.run(SERVICES=both).code == 4
    assert "are one and the same resource" in harness.output
    assert harness.world.writes() == []


def test_a_repeated_step_does_not_update_the_function_again(harness: Harness) -> None:
    """The run before it may have been killed."""
    function = harness.world.functions.add("resize", "t:1")
    harness.clock.advance(7200)
    restart = {"SERVICES": "lambda:resize=t:1", "RESTART": "true"}
    assert harness.run(**restart).code == 0
    assert harness.run(**restart, BITBUCKET_STEP_RUN_NUMBER="2").code == 0
    assert function.updates == 1
    assert harness.run(**restart).code == 0
    assert function.updates == 2


@pytest.mark.parametrize(("kind", "state"), [("lambda", "functions"), ("cronjob", "cronjobs")])
def test_a_target_that_is_deleted_during_the_rollout_is_reported(
    harness: Harness, kind: str, state: str
) -> None:
    """It is no success, and it is not the portal that lags behind."""
    targets = getattr(harness.world, state)
    targets.add("resize", "t:1")
    delete = {"lambda": "UpdateLambdaFunction$", "cronjob": "cronJob/resize$"}
    harness.world.intrude(lambda _: targets.items.clear(), when=("POST|PUT", delete[kind], 1))
    assert harness.run(SERVICES=f"{kind}:resize=t:2", WAIT_TIMEOUT="20").code == 10
    assert "did not finish within 20 s: the portal does not list it" in harness.output
