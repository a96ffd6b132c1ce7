"""Lambda functions."""

from __future__ import annotations

import pytest

from pipe.kinds.lambda_ import full_name
from tests.sandbox import ApiFault, Behaviour

ACCOUNT = "111122223333"


@pytest.mark.parametrize("name", ["resize", f"duploservices-dev01-resize-{ACCOUNT}"])
def test_short_and_full_names_mean_the_same(stage, name):
    """People write what they see in the portal."""
    function = stage.world.functions.add("resize", "team/resize:1")
    assert stage.run(KIND="lambda", SERVICE=name, IMAGE="team/resize:2").code == 0
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
def test_a_short_name_is_never_guessed(known, found):
    """Several that fit are as bad as none."""
    assert full_name("fn", "dev01", known) == found


def test_it_waits_until_aws_is_done(stage):
    """Trap 37: the portal's success is not yet the update's."""
    stage.world.functions.add("resize", "team/resize:1")
    stage.world.behave("team/resize:2", Behaviour(seconds=30.0))
    before = stage.world.clock.monotonic()
    assert stage.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert 30 <= stage.world.clock.monotonic() - before <= 31


def test_a_stale_list_is_not_believed(stage):
    """Right after the call the list may show the state from before."""
    function = stage.world.functions.add("resize", "team/resize:1")
    function.listed_late = 10.0
    assert stage.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert stage.world.clock.elapsed >= 10


def test_an_update_under_way_is_waited_for(stage):
    """Trap 37: AWS takes one update at a time; the refusal is no failure."""
    function = stage.world.functions.add("resize", "team/resize:1")
    stage.world.behave("team/resize:theirs", Behaviour(seconds=20.0))
    stage.world.intrude(
        lambda _: function.update("team/resize:theirs"),
        when=("POST", "UpdateLambdaFunction$", 1),
        moment="before",
    )
    assert stage.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert function.image == "team/resize:2"


def test_a_failed_update_is_told_with_aws_reason(stage):
    """And what was there before is verified."""
    function = stage.world.functions.add("resize", "team/resize:1")
    stage.world.behave("team/resize:2", Behaviour("pull-error", fault="image not found in ECR"))
    assert stage.run(SERVICES="lambda:resize=team/resize:2").code == 10
    assert "image not found in ECR" in stage.output
    assert stage.run(SERVICES="lambda:resize=team/resize:2", ROLLBACK="true").code == 8
    assert function.image == "team/resize:1"


def test_a_lost_reply_is_looked_up(stage):
    """The function is updated once."""
    function = stage.world.functions.add("resize", "team/resize:1")
    stage.world.script(ApiFault("POST", "UpdateLambdaFunction$", "reset-after"))
    assert stage.run(SERVICES="lambda:resize=team/resize:2").code == 0
    assert function.updates == 1


def test_somebody_elses_update_is_no_success(stage):
    """The image decides, not the word Successful."""
    function = stage.world.functions.add("resize", "team/resize:1")
    stage.world.intrude(lambda _: function.update("team/resize:theirs"), after=2.5)
    assert stage.run(SERVICES="lambda:resize=team/resize:2", STABLE_SECONDS="0").code in (0, 7)
    stage.world.clock.advance(10)
    stage.world.behave("team/resize:3", Behaviour(seconds=1.0))
    stage.world.behave("team/resize:4", Behaviour(seconds=0.1))
    stage.world.intrude(lambda _: function.update("team/resize:4"), after=1.2)
    function.listed_late = 5.0
    assert stage.run(SERVICES="lambda:resize=team/resize:3").code == 7


def test_a_zip_function_is_refused(stage):
    """There is no image to change."""
    stage.world.functions.add("resize", "team/resize:1", package="Zip")
    assert stage.run(SERVICES="lambda:resize=team/resize:2").code == 4
    assert "runs no container image" in stage.output
    assert stage.world.writes() == []
