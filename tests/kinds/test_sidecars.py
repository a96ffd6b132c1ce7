"""Side and init containers, on new portals and on old ones."""

from __future__ import annotations

import json

from tests.sandbox import Behaviour, World
from tests.support.harness import Harness
from tests.support.scripted_adapter import Scripted


def test_all_containers_of_a_service_change_in_one_call(harness: Harness) -> None:
    """A single call causes a single rollout."""
    web = harness.world.add_service(
        "web", "team/web:1", replicas=2, sidecars={"log": "log:1"}, inits={"migrate": "m:1"}
    )
    entries = "web=team/web:2 web/log=log:2 web/migrate=m:2"
    assert harness.run(SERVICES=entries).code == 0
    assert (web.image, web.sidecars, web.inits) == (
        "team/web:2",
        {"log": "log:2"},
        {"migrate": "m:2"},
    )
    assert len(harness.world.writes()) == 1
    assert web.starts == 2


def test_a_sidecar_can_change_alone(harness: Harness) -> None:
    """The rollout of a sidecar is followed although the main image stays."""
    web = harness.world.add_service("web", "team/web:1", replicas=2, sidecars={"log": "log:1"})
    assert harness.run(SERVICES="web/log=log:2").code == 0
    assert [pod.template.containers[1][1] for pod in web.pods if not pod.leaving] == ["log:2"] * 2
    assert "log log:1 -> log:2" in harness.output


def test_a_sidecars_deploy_is_reported_with_its_own_image(harness: Harness) -> None:
    """The log, the record, its variables, the page and the notification show what changed."""
    slack = Scripted({"POST /hook-of-the-team": (200, {}, "ok")})
    harness.hosts["hooks.example"] = slack
    harness.web("team/web:1", sidecars={"log": "log:1"})
    webhook = "https://hooks.example/hook-of-the-team"
    run_result = harness.deploy(
        "", SERVICE="", SERVICES="web/log=log:2", VERIFY_IMAGE="false", SLACK_WEBHOOK=webhook
    )
    assert "web/log runs log:2 (previously log:1): " in run_result.stdout
    variables = (harness.report_dir / "deploy.env").read_text("utf-8")
    assert "DEPLOY_IMAGE=log:2\nDEPLOY_PREVIOUS_IMAGE=log:1\n" in variables
    assert run_result.report["targets"][0]["state"].startswith("is set to log:2 (container log), ")
    assert "<del>log:1</del>" in (harness.report_dir / "deploy.html").read_text("utf-8")
    sent = [json.loads(request.body or b"")["attachments"][0]["text"] for request in slack.requests]
    assert all("web/log: `log:1` → `log:2`" in text for text in sent)
    assert len(sent) == 2


def test_a_failed_sidecars_advice_restores_the_sidecar(harness: Harness) -> None:
    """IMAGE would put the sidecar's image into the main container."""
    harness.web("team/web:1", sidecars={"log": "log:1"})
    harness.world.behave("log:2", Behaviour("crash"))
    run_result = harness.run(SERVICES="web/log=log:2", WAIT_TIMEOUT="60")
    assert run_result.code == 10
    assert "SERVICES: 'web/log=log:1'" in run_result.log
    assert "with IMAGE" not in run_result.log
    assert (
        "web is set to log:2 (container log), with 2 pods up on log:1, 1 pod failing on log:2"
        in (run_result.stdout)
    )


def test_a_crashing_sidecar_is_rolled_back(harness: Harness) -> None:
    """ROLLBACK covers sidecars too."""
    web = harness.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    harness.world.behave("log:2", Behaviour("crash", log=["no disk"]))
    assert harness.run(SERVICES="web/log=log:2", ROLLBACK="true").code == 8
    assert web.sidecars == {"log": "log:1"}
    assert "no disk" in harness.output


def test_an_old_portal_keeps_every_other_setting(old_harness: Harness) -> None:
    """Only images change in OtherDockerConfig; tags and flags are sent along."""
    world = old_harness.world
    extra = {"Zulu": {"b": 1.50, "a": [None]}, "Env": [{"name": "image", "value": "log:1"}]}
    web = world.add_service(
        "web",
        "team/web:1",
        sidecars={"log": "log:1"},
        inits={"migrate": "m:1"},
        other_docker_config=extra,
        allocation_tags="tier-app",
    )
    before, flags = web.other_docker_config, dict(web.flags)
    assert old_harness.run(SERVICES="web/log=log:2 web/migrate=m:2").code == 0
    expected = before.replace('"name":"log","image":"log:1"', '"name":"log","image":"log:2"')
    expected = expected.replace('"image":"m:1"', '"image":"m:2"')
    assert json.loads(web.other_docker_config) == json.loads(expected)
    assert (web.image, web.allocation_tags, web.flags) == ("team/web:1", "tier-app", flags)


def test_an_old_portal_changes_all_containers_in_one_call(old_harness: Harness) -> None:
    """The image and the settings are sent together."""
    web = old_harness.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    assert old_harness.run(SERVICES="web=team/web:2 web/log=log:2").code == 0
    assert (web.image, web.sidecars) == ("team/web:2", {"log": "log:2"})
    assert len(old_harness.world.writes()) == 1


def test_an_old_portal_keeps_a_setting_changed_during_the_pre_deploy_test(
    old_harness: Harness,
) -> None:
    """The write is built from the last look before it, not from the plan's."""
    web = old_harness.world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    settings = web.other_docker_config.replace('"info"', '"debug"')

    def change_level(world: World) -> None:
        world.service("web").other_docker_config = settings

    old_harness.world.intrude(change_level, when=("GET", "GetPods", 1))
    assert old_harness.run(SERVICES="web/log=log:2").code == 0
    assert web.sidecars == {"log": "log:2"}
    assert json.loads(web.other_docker_config)["Env"] == [{"Name": "LOG", "Value": "debug"}]


def test_invalid_json_settings_are_not_touched(old_harness: Harness) -> None:
    """Their sidecars are unknown, so naming one is an error."""
    web = old_harness.world.add_service("web", "team/web:1")
    web.other_docker_config = "{broken"
    assert old_harness.run(SERVICES="web/log=log:2").code == 4
    assert old_harness.world.writes() == []
    assert 'no container of web called "log"' in old_harness.output


def test_the_main_container_may_be_named(harness: Harness) -> None:
    """The main container has the service's name."""
    web = harness.world.add_service("web", "team/web:1")
    assert harness.run(SERVICES="web/web=team/web:2").code == 0
    assert web.image == "team/web:2"
    assert harness.run(SERVICES="web=team/web:3 web/web=team/web:4").code == 2
    assert json.loads(web.other_docker_config)["Env"]
