"""`ACTION: rollback`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox import Behaviour
from tests.sandbox.service import Service
from tests.support.harness import Harness

ROLL_BACK = {"ACTION": "rollback"}


def deployed(harness: Harness, name: str = "web", **options: Any) -> Service:
    service = harness.world.add_service(name, f"team/{name}:1", **options)
    assert harness.run(SERVICE=name, IMAGE=f"team/{name}:2").code == 0
    return service


def test_a_service_is_rolled_back_by_its_history(harness: Harness) -> None:
    """The rollback is followed like a deploy."""
    web = deployed(harness, replicas=2)
    assert harness.run(SERVICE="web", **ROLL_BACK).code == 0
    assert [pod.image for pod in web.pods if not pod.leaving] == ["team/web:1"] * 2
    assert "team/web:2 -> team/web:1" in harness.output
    assert "the portal's history" in harness.output


def test_sidecars_are_rolled_back_too(harness: Harness) -> None:
    """The history has the images of every container."""
    web = harness.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    assert harness.run(SERVICES="web=team/web:2 web/log=log:2").code == 0
    assert harness.run(SERVICE="web", **ROLL_BACK).code == 0
    assert (web.image, web.sidecars) == ("team/web:1", {"log": "log:1"})


def test_a_single_container_can_be_rolled_back(harness: Harness) -> None:
    """SERVICES names it."""
    web = harness.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    assert harness.run(SERVICES="web=team/web:2 web/log=log:2").code == 0
    assert harness.run(SERVICES="web/log", **ROLL_BACK).code == 0
    assert (web.image, web.sidecars) == ("team/web:2", {"log": "log:1"})


def test_every_kind_is_rolled_back_by_the_record(harness: Harness, tmp_path: Path) -> None:
    """Where the portal keeps no history, the record of an earlier run has the images."""
    world = harness.world
    web = world.add_service("web", "t:1", history=False)
    api = world.ecs.add("api", "t:1")
    resize = world.functions.add("resize", "t:1")
    nightly = world.cronjobs.add("nightly", "t:1")
    names = ("web", "ecs:api", "lambda:resize", "cronjob:nightly")
    report = {"REPORT_DIR": str(tmp_path)}
    assert harness.run(SERVICES=" ".join(f"{name}=t:2" for name in names), **report).code == 0
    assert harness.run(SERVICES=" ".join(names), **report, **ROLL_BACK).code == 0
    assert [one.image for one in (web, api, resize, nightly)] == ["t:1"] * 4
    assert "the record of an earlier run" in harness.output


def test_an_outdated_record_is_not_used(harness: Harness, tmp_path: Path) -> None:
    """After another deployment the record does not describe what runs now."""
    function = harness.world.functions.add("resize", "t:1")
    report = {"REPORT_DIR": str(tmp_path)}
    assert harness.run(SERVICES="lambda:resize=t:2", **report).code == 0
    function.update("t:3")
    harness.clock.advance(10)
    assert harness.run(SERVICES="lambda:resize", **report, **ROLL_BACK).code == 2
    assert function.image == "t:3"


def test_a_broken_record_is_not_used(harness: Harness, tmp_path: Path) -> None:
    """It does not cause a traceback either."""
    harness.world.functions.add("resize", "t:1")
    for text in ("{", "[]", '{"targets": 3}', '{"targets": [1], "changed": true}'):
        (tmp_path / "deploy.json").write_text(text, "utf-8")
        assert (
            harness.run(SERVICES="lambda:resize", REPORT_DIR=str(tmp_path), **ROLL_BACK).code == 2
        )


def test_without_history_or_record_nothing_is_changed(harness: Harness) -> None:
    """The message names what is missing for each target."""
    harness.world.ecs.add("api", "t:1")
    harness.world.cronjobs.add("nightly", "t:1")
    assert harness.run(SERVICES="ecs:api cronjob:nightly", **ROLL_BACK).code == 2
    assert "the image to roll ecs:api back to" in harness.output
    assert "the image to roll cronjob:nightly back to" in harness.output
    assert harness.world.writes() == []


def test_image_is_used_where_no_previous_image_is_known(harness: Harness) -> None:
    """IMAGE is the last resort."""
    api = harness.world.ecs.add("api", "t:2")
    assert harness.run(KIND="ecs", SERVICE="api", IMAGE="t:1", **ROLL_BACK).code == 0
    assert api.image == "t:1"


def test_the_running_image_is_not_a_previous_image(harness: Harness) -> None:
    """A pipeline that only adds ACTION still has the deployed image in IMAGE."""
    harness.world.ecs.add("api", "t:2")
    assert harness.run(KIND="ecs", SERVICE="api", IMAGE="t:2", **ROLL_BACK).code == 2


def test_several_services_are_rolled_back_together(harness: Harness) -> None:
    """Each gets its own previous image."""
    services = [deployed(harness, name) for name in ("web", "api", "worker")]
    assert harness.run(SERVICE="web,api,worker", **ROLL_BACK).code == 0
    assert [one.image for one in services] == ["team/web:1", "team/api:1", "team/worker:1"]


def test_a_failed_rollback_action_can_be_rolled_back_itself(harness: Harness) -> None:
    """With ROLLBACK it is a deploy like any other."""
    web = deployed(harness)
    harness.world.behave("team/web:1", Behaviour("crash"))
    assert harness.run(SERVICE="web", ROLLBACK="true", **ROLL_BACK).code == 8
    assert web.image == "team/web:2"


def test_a_rerun_of_the_step_does_not_roll_forward_again(harness: Harness, tmp_path: Path) -> None:
    """By then the history's previous entry is the version that was rolled back."""
    web = deployed(harness)
    ids = {"BITBUCKET_STEP_UUID": "{s}", "BITBUCKET_PIPELINE_UUID": "{p}"}
    again = {"SERVICE": "web", "REPORT_DIR": str(tmp_path), **ids, **ROLL_BACK}
    assert harness.run(**again).code == 0
    record = json.loads((tmp_path / "deploy.json").read_text("utf-8"))
    assert record["action"] == "rollback"
    writes = len(harness.world.writes())
    assert harness.run(**again).code == 0
    assert web.image == "team/web:1"
    assert len(harness.world.writes()) == writes


@pytest.mark.parametrize("number", ["1", "2"])
def test_without_a_record_a_repeated_step_keeps_what_was_changed_recently(
    harness: Harness, number: str
) -> None:
    """The history's previous entry may be the version that the first attempt rolled back."""
    web = deployed(harness)
    harness.clock.advance(86400.0)
    assert harness.run(SERVICE="web", **ROLL_BACK).code == 0
    harness.clock.advance(60.0)
    assert harness.run(SERVICE="web", BITBUCKET_STEP_RUN_NUMBER=number, **ROLL_BACK).code == 0
    assert web.image == ("team/web:1" if number == "2" else "team/web:2")
    assert ("may have rolled it back already" in harness.output) == (number == "2")


def test_a_repeated_step_rolls_back_what_was_not_changed_recently(harness: Harness) -> None:
    """The first attempt cannot have."""
    web = deployed(harness)
    harness.clock.advance(86400.0)
    assert harness.run(SERVICE="web", BITBUCKET_STEP_RUN_NUMBER="2", **ROLL_BACK).code == 0
    assert web.image == "team/web:1"


def test_a_single_container_is_rolled_back_by_its_own_history(harness: Harness) -> None:
    """The entry before the present one changed another container."""
    web = harness.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    assert harness.run(SERVICES="web/log=log:2").code == 0
    assert harness.run(SERVICES="web=team/web:2").code == 0
    assert harness.run(SERVICES="web/log", **ROLL_BACK).code == 0
    assert (web.image, web.sidecars) == ("team/web:2", {"log": "log:1"})


def test_a_dry_run_changes_nothing(harness: Harness) -> None:
    """It prints the plan."""
    web = deployed(harness)
    assert harness.run(SERVICE="web", DRY_RUN="true", **ROLL_BACK).code == 0
    assert web.image == "team/web:2"
    assert "team/web:2 -> team/web:1" in harness.output
