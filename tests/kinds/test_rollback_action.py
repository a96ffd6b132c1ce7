"""`ACTION: rollback`."""

from __future__ import annotations

import json

from tests.sandbox import Behaviour

BACK = {"ACTION": "rollback"}


def deployed(stage, name="web", **options):
    service = stage.world.add_service(name, f"team/{name}:1", **options)
    assert stage.run(SERVICE=name, IMAGE=f"team/{name}:2").code == 0
    return service


def test_a_service_goes_back_to_what_its_history_names(stage):
    """Followed to the end like a deploy."""
    web = deployed(stage, replicas=2)
    assert stage.run(SERVICE="web", **BACK).code == 0
    assert [pod.image for pod in web.pods if not pod.leaving] == ["team/web:1"] * 2
    assert "team/web:2 -> team/web:1" in stage.output
    assert "the portal's history" in stage.output


def test_sidecars_go_back_with_the_rest(stage):
    """The history tells every container."""
    web = stage.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    assert stage.run(SERVICES="web=team/web:2 web/log=log:2").code == 0
    assert stage.run(SERVICE="web", **BACK).code == 0
    assert (web.image, web.sidecars) == ("team/web:1", {"log": "log:1"})


def test_one_container_can_go_back_alone(stage):
    """As SERVICES names it."""
    web = stage.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    assert stage.run(SERVICES="web=team/web:2 web/log=log:2").code == 0
    assert stage.run(SERVICES="web/log", **BACK).code == 0
    assert (web.image, web.sidecars) == ("team/web:2", {"log": "log:1"})


def test_every_kind_goes_back_by_the_record(stage, tmp_path):
    """Where the portal keeps no history, this pipe's own record tells."""
    world = stage.world
    web = world.add_service("web", "t:1", history=False)
    api = world.ecs.add("api", "t:1")
    resize = world.functions.add("resize", "t:1")
    nightly = world.cronjobs.add("nightly", "t:1")
    names = ("web", "ecs:api", "lambda:resize", "cronjob:nightly")
    report = {"REPORT_DIR": str(tmp_path)}
    assert stage.run(SERVICES=" ".join(f"{name}=t:2" for name in names), **report).code == 0
    assert stage.run(SERVICES=" ".join(names), **report, **BACK).code == 0
    assert [one.image for one in (web, api, resize, nightly)] == ["t:1"] * 4
    assert "the record of an earlier run" in stage.output


def test_a_record_of_something_else_is_no_answer(stage, tmp_path):
    """Somebody deployed since: the record does not describe what runs now."""
    function = stage.world.functions.add("resize", "t:1")
    report = {"REPORT_DIR": str(tmp_path)}
    assert stage.run(SERVICES="lambda:resize=t:2", **report).code == 0
    function.update("t:3")
    stage.world.clock.advance(10)
    assert stage.run(SERVICES="lambda:resize", **report, **BACK).code == 2
    assert function.image == "t:3"


def test_a_broken_record_is_no_answer(stage, tmp_path):
    """Nor a reason for a traceback."""
    stage.world.functions.add("resize", "t:1")
    for text in ("{", "[]", '{"targets": 3}', '{"targets": [1], "changed": true}'):
        (tmp_path / "deploy.json").write_text(text, "utf-8")
        assert stage.run(SERVICES="lambda:resize", REPORT_DIR=str(tmp_path), **BACK).code == 2


def test_nothing_is_guessed(stage):
    """Without history and record the run says for each target what is missing."""
    stage.world.ecs.add("api", "t:1")
    stage.world.cronjobs.add("nightly", "t:1")
    assert stage.run(SERVICES="ecs:api cronjob:nightly", **BACK).code == 2
    assert "the image to roll ecs:api back to" in stage.output
    assert "the image to roll cronjob:nightly back to" in stage.output
    assert stage.world.writes() == []


def test_image_is_the_last_resort(stage):
    """What is given is used where nobody knows better."""
    api = stage.world.ecs.add("api", "t:2")
    assert stage.run(KIND="ecs", SERVICE="api", IMAGE="t:1", **BACK).code == 0
    assert api.image == "t:1"


def test_the_image_that_runs_leads_nowhere_back(stage):
    """A pipeline that only adds ACTION still names the image it deployed."""
    stage.world.ecs.add("api", "t:2")
    assert stage.run(KIND="ecs", SERVICE="api", IMAGE="t:2", **BACK).code == 2


def test_several_services_go_back_together(stage):
    """Each to its own."""
    services = [deployed(stage, name) for name in ("web", "api", "worker")]
    assert stage.run(SERVICE="web,api,worker", **BACK).code == 0
    assert [one.image for one in services] == ["team/web:1", "team/api:1", "team/worker:1"]


def test_a_way_back_that_fails_is_undone_on_request(stage):
    """It is a deploy like any other."""
    web = deployed(stage)
    stage.world.behave("team/web:1", Behaviour("crash"))
    assert stage.run(SERVICE="web", ROLLBACK="true", **BACK).code == 8
    assert web.image == "team/web:2"


def test_a_killed_step_run_again_goes_on_and_does_not_turn_round(stage, tmp_path):
    """The history's last but one entry is then what the step came from."""
    web = deployed(stage)
    ids = {"BITBUCKET_STEP_UUID": "{s}", "BITBUCKET_PIPELINE_UUID": "{p}"}
    again = {"SERVICE": "web", "REPORT_DIR": str(tmp_path), **ids, **BACK}
    assert stage.run(**again).code == 0
    record = json.loads((tmp_path / "deploy.json").read_text("utf-8"))
    assert record["action"] == "rollback"
    writes = len(stage.world.writes())
    assert stage.run(**again).code == 0
    assert web.image == "team/web:1"
    assert len(stage.world.writes()) == writes


def test_a_dry_run_only_tells(stage):
    """The plan is printed."""
    web = deployed(stage)
    assert stage.run(SERVICE="web", DRY_RUN="true", **BACK).code == 0
    assert web.image == "team/web:2"
    assert "team/web:2 -> team/web:1" in stage.output
