"""The portal's traps that no other scenario covers."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.portal.service_body import decode_found
from tests.sandbox import ApiFault, Behaviour, World
from tests.sandbox.world import VOID_FORMS
from tests.support.harness import Harness


def paths(harness: Harness) -> list[str]:
    """Return every part of the requested paths in lower case."""
    return [part.lower() for record in harness.world.log for part in record.path.split("/")]


def test_a_paused_native_docker_upgrade_ends_at_the_time_limit(harness: Harness) -> None:
    """Previous replicas wait for their successors for ever."""
    harness.web(platform=0)
    harness.world.behave("team/web:bad", Behaviour("never-ready"))
    result = harness.deploy("team/web:bad", WAIT_TIMEOUT="120")
    assert result.code == 10
    assert 120.0 <= result.seconds < 122.0


def test_a_native_docker_upgrade_that_crashes_ends_at_once(harness: Harness) -> None:
    """A fault ends the wait earlier."""
    harness.web(platform=0)
    harness.world.behave("team/web:bad", Behaviour("crash"))
    result = harness.deploy("team/web:bad")
    assert result.code == 10
    assert result.seconds < 20.0


@pytest.mark.parametrize("portal", ["new", "old"])
@pytest.mark.parametrize("environ", [{}, {"RESTART": "true"}, {"ROLLBACK": "true"}])
def test_no_call_is_used_that_resets_absent_fields(
    harness: Harness, portal: Any, environ: dict[str, str]
) -> None:
    """ChangeAll and its bulk form clear absent fields, so they are never used."""
    harness.world.portal = portal
    config = {"Env": [{"Name": "A", "Value": "1"}], "PodLabels": {"x": "y"}}
    web = harness.web(other_docker_config=config, allocation_tags="tier-app")
    before = web.other_docker_config
    harness.world.behave("team/web:1.4.2", Behaviour("crash" if "ROLLBACK" in environ else "run"))
    harness.deploy(**environ)
    assert not [path for path in paths(harness) if path.endswith("changeall")]
    assert (web.other_docker_config, web.platform) == (before, 7)


@pytest.mark.parametrize("portal", ["new", "old"])
def test_settings_that_are_edited_meanwhile_are_preserved(harness: Harness, portal: Any) -> None:
    """There is no ETag, so the settings are never sent."""
    harness.world.portal = portal
    harness.web()

    def edit(world: World) -> None:
        world.service("web").other_docker_config = '{"Env": [{"Name": "NEW", "Value": "1"}]}'

    harness.world.intrude(edit, when=("PUT|POST", "containerimage|Change", 1), moment="before")
    assert harness.deploy().code == 0
    assert '"NEW"' in harness.world.service("web").other_docker_config
    assert all("OtherDockerConfig" not in str(record.body) for record in harness.world.writes())


@pytest.mark.parametrize("form", VOID_FORMS)
@pytest.mark.parametrize("environ", [{}, {"IMAGE": "team/web:1.4.1", "RESTART": "true"}])
@pytest.mark.parametrize("portal", ["new", "old"])
def test_every_form_of_an_empty_reply_is_a_success(
    harness: Harness, form: str, environ: dict[str, str], portal: Any
) -> None:
    """204, 200 empty, 200 `null`, 200 `""`."""
    harness.world.portal = portal
    harness.world.void_forms = (form,)
    harness.web()
    result = harness.deploy(**{"image": environ.get("IMAGE", "team/web:1.4.2"), **environ})
    assert result.code == 0
    assert "Checking whether" not in result.log
    assert len(harness.world.writes()) == 1


def test_a_rollback_does_not_need_history(harness: Harness) -> None:
    """The rollback endpoint needs history, so the previous image is sent instead."""
    harness.web(history=False)
    harness.world.behave("team/web:bad", Behaviour("crash"))
    assert harness.deploy("team/web:bad", ROLLBACK="true").code == 8
    assert "rollback" not in paths(harness)


@pytest.mark.parametrize("status", [404, 405])
def test_a_missing_route_is_distinguished_from_a_missing_service(
    harness: Harness, status: int
) -> None:
    """The service exists, so 404 means the route; the older call is used."""
    harness.web()
    harness.world.script(ApiFault("PUT", "containerimage", status=status, times=9))
    assert harness.deploy().code == 0
    assert harness.world.service("web").image == "team/web:1.4.2"


def test_a_service_deleted_before_the_change_is_not_a_missing_route(harness: Harness) -> None:
    """The other way round: exit 4 with the portal's message."""
    harness.web()

    def delete(world: World) -> None:
        world.services.clear()

    harness.world.intrude(delete, when=("PUT", "containerimage", 1), moment="before")
    result = harness.deploy()
    assert result.code == 4
    assert "web" in result.stdout
    assert "Nothing was changed." in result.stdout


@pytest.mark.parametrize(
    "listeners",
    [
        {"web-tcp-8080": {"Port": "8080", "ExternalPort": 443}},
        {"web-tcp-8080": {"Port": 8080, "ExternalPort": None}},
        [{"Port": "8080", "ExternalPort": 443}],
        None,
    ],
)
def test_listeners_of_any_shape_are_accepted(listeners: Any) -> None:
    """An object on services, an array on others; ports as text, number or null."""
    found = decode_found({"Name": "web", "Template": {"LBConfigurations": listeners}})
    assert found is not None
    assert found.name == "web"


@pytest.mark.parametrize("key", ["HPASpecs", "HpaSpecs"])
def test_an_autoscaler_is_recognised_in_either_spelling(key: str) -> None:
    """The spelling differs between endpoints."""
    found = decode_found({"Name": "web", "Replicas": 9, key: {"minReplicas": 2}})
    assert found is not None
    assert found.autoscaled
    assert found.min_replicas == 2


def test_every_look_bypasses_caches(harness: Harness) -> None:
    """No reply is cached, here or on the way, so that no look sees an old state."""
    harness.web()
    harness.deploy()
    looks = [record for record in harness.world.log if record.path.endswith("GetPods")]
    assert len({record.response_text for record in looks}) >= 4
    assert all(record.headers.get("Cache-Control") == "no-cache" for record in harness.world.log)
