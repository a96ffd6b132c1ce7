"""The portal's traps that no other scenario steps into."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.portal.services import decode_found
from tests.sandbox import ApiFault, Behaviour, World
from tests.sandbox.world import VOID_FORMS
from tests.support.stage import Stage


def paths(stage: Stage) -> list[str]:
    """The last part of everything that was asked for, in small letters."""
    return [part.lower() for record in stage.world.log for part in record.path.split("/")]


def test_a_native_docker_upgrade_that_pauses_ends_with_the_deadline(stage: Stage) -> None:
    """Trap 12: old replicas wait for their successor for ever; the time ends that."""
    stage.web(platform=0)
    stage.world.behave("team/web:bad", Behaviour("never-ready"))
    ending = stage.deploy("team/web:bad", WAIT_TIMEOUT="120")
    assert ending.code == 10
    assert 120.0 <= ending.seconds < 122.0


def test_a_native_docker_upgrade_that_crashes_ends_at_once(stage: Stage) -> None:
    """Trap 12: a fault ends it before."""
    stage.web(platform=0)
    stage.world.behave("team/web:bad", Behaviour("crash"))
    ending = stage.deploy("team/web:bad")
    assert ending.code == 10
    assert ending.seconds < 20.0


@pytest.mark.parametrize("portal", ["new", "old"])
@pytest.mark.parametrize("environ", [{}, {"RESTART": "true"}, {"ROLLBACK": "true"}])
def test_no_call_that_resets_what_it_is_not_told(
    stage: Stage, portal: str, environ: dict[str, str]
) -> None:
    """Trap 18: ChangeAll wipes whatever is absent, so it is never used, nor its bulk form."""
    stage.world.portal = portal
    config = {"Env": [{"Name": "A", "Value": "1"}], "PodLabels": {"x": "y"}}
    web = stage.web(other_docker_config=config, allocation_tags="tier-app")
    before = web.other_docker_config
    stage.world.behave("team/web:1.4.2", Behaviour("crash" if "ROLLBACK" in environ else "run"))
    stage.deploy(**environ)
    assert not [path for path in paths(stage) if path.endswith("changeall")]
    assert (web.other_docker_config, web.platform) == (before, 7)


@pytest.mark.parametrize("portal", ["new", "old"])
def test_somebody_who_edits_the_settings_meanwhile_loses_nothing(stage: Stage, portal: str) -> None:
    """Trap 20: there is no ETag, so the text of settings is never sent, old or new."""
    stage.world.portal = portal
    stage.web()

    def edit(world: World) -> None:
        world.service("web").other_docker_config = '{"Env": [{"Name": "NEW", "Value": "1"}]}'

    stage.world.intrude(edit, when=("PUT|POST", "containerimage|Change", 1), moment="before")
    assert stage.deploy().code == 0
    assert '"NEW"' in stage.world.service("web").other_docker_config
    assert all("OtherDockerConfig" not in str(record.body) for record in stage.world.writes())


@pytest.mark.parametrize("form", VOID_FORMS)
@pytest.mark.parametrize("environ", [{}, {"IMAGE": "team/web:1.4.1", "RESTART": "true"}])
@pytest.mark.parametrize("portal", ["new", "old"])
def test_every_form_of_an_answer_without_content_is_a_yes(
    stage: Stage, form: str, environ: dict[str, str], portal: str
) -> None:
    """Trap 21: 204, 200 empty, 200 `null`, 200 `""`."""
    stage.world.portal = portal
    stage.world.void_forms = (form,)
    stage.web()
    ending = stage.deploy(**{"image": environ.get("IMAGE", "team/web:1.4.2"), **environ})
    assert ending.code == 0
    assert "Checking whether" not in ending.log
    assert len(stage.world.writes()) == 1


def test_the_way_back_needs_no_history(stage: Stage) -> None:
    """Trap 22: the rollback endpoint works with history only, so the image is sent again."""
    stage.web(history=False)
    stage.world.behave("team/web:bad", Behaviour("crash"))
    assert stage.deploy("team/web:bad", ROLLBACK="true").code == 8
    assert "rollback" not in paths(stage)


@pytest.mark.parametrize("status", [404, 405])
def test_a_missing_route_is_told_from_a_missing_service(stage: Stage, status: int) -> None:
    """Trap 24: the service was looked up, so its 404 means the route; the older call does it."""
    stage.web()
    stage.world.script(ApiFault("PUT", "containerimage", status=status, times=9))
    assert stage.deploy().code == 0
    assert stage.world.service("web").image == "team/web:1.4.2"


def test_a_service_that_vanishes_before_the_change_is_no_missing_route(stage: Stage) -> None:
    """Trap 24, the other way: it was there a moment ago; exit 4 in the portal's words."""
    stage.web()

    def delete(world: World) -> None:
        world.services.clear()

    stage.world.intrude(delete, when=("PUT", "containerimage", 1), moment="before")
    ending = stage.deploy()
    assert ending.code == 4
    assert "web" in ending.result
    assert "Nothing was changed." in ending.result


@pytest.mark.parametrize(
    "listeners",
    [
        {"web-tcp-8080": {"Port": "8080", "ExternalPort": 443}},
        {"web-tcp-8080": {"Port": 8080, "ExternalPort": None}},
        [{"Port": "8080", "ExternalPort": 443}],
        None,
    ],
)
def test_listeners_of_any_shape_do_not_disturb_a_deploy(listeners: Any) -> None:
    """Trap 32: an object on services, an array on others; ports as text, number or null."""
    found = decode_found({"Name": "web", "Template": {"LBConfigurations": listeners}})
    assert found is not None
    assert found.name == "web"


@pytest.mark.parametrize("key", ["HPASpecs", "HpaSpecs"])
def test_an_autoscaler_is_seen_in_either_spelling(key: str) -> None:
    """Trap 33: the spelling differs by endpoint."""
    found = decode_found({"Name": "web", "Replicas": 9, key: {"minReplicas": 2}})
    assert found is not None
    assert found.autoscaled
    assert found.min_replicas == 2


def test_every_look_asks_the_portal_itself(stage: Stage) -> None:
    """Trap 39: no answer is kept, here or in between, so that no look sees an old state."""
    stage.web()
    stage.deploy()
    looks = [record for record in stage.world.log if record.path.endswith("GetPods")]
    assert len({record.response_text for record in looks}) >= 4
    assert all(record.headers.get("Cache-Control") == "no-cache" for record in stage.world.log)
