"""Image, environment and replicas in one write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.deploy_tests.commands import FakeRunner
from tests.sandbox import ApiFault, Behaviour
from tests.sandbox.service import FLAGS
from tests.support.environment import NEW_IMAGE, OLD_IMAGE
from tests.support.harness import Harness, RunResult, at_time

BAD = "team/web:bad"
CANARY, THEIRS = "canary-of-ours-5Rk9", "canary-of-theirs-8Wq2"
CONFIG: dict[str, Any] = {
    "Env": [
        {"Name": "LOG", "Value": "info"},
        {"name": "OLD_FLAG", "value": THEIRS},
        {"Name": "KEY", "ValueFrom": {"SecretKeyRef": {"Name": "db", "Key": "password"}}},
    ],
    "x-unknown": [1, {"deep": None}],
    "additionalContainers": [{"name": "log", "image": "team/log:3", "env": None}],
}
TEXT = json.dumps(CONFIG)
ENV = f"LOG=debug\nNEW_FLAG={CANARY}\nlog:PORT=1"


def pods_of(web: Any) -> list[Any]:
    """Return the pods that stay: those that are terminating are listed for a while."""
    return [pod for pod in web.pods if not pod.leaving]


def env_of(web: Any) -> list[Any]:
    return list(json.loads(web.other_docker_config)["Env"])


def configure(harness: Harness, image: str = NEW_IMAGE, **variables: str) -> RunResult:
    """Deploy with an environment, and see that no value of it shows anywhere."""
    usual = {"ENV": f"LOG=debug\nNEW_FLAG={CANARY}", "ENV_REMOVE": "OLD_FLAG"}
    result = harness.deploy(image, **(usual | variables))
    files = [one.read_text("utf-8") for one in harness.report_dir.glob("*")]
    for value in (CANARY, THEIRS):
        assert all(value not in text for text in (result.text, *files))
    return result


@pytest.mark.parametrize("portal", ["new", "old"])
def test_image_environment_and_replicas_are_one_write(harness: Harness, portal: Any) -> None:
    """Two writes would be two rollouts, with an untested version in between."""
    harness.world.portal = portal
    flags = {**FLAGS, "IsAnyHostAllowed": True, "ShouldSpreadAcrossZones": True}
    web = harness.web(other_docker_config=TEXT, allocation_tags="tier-app")
    web.flags.update(flags)
    result = configure(harness, REPLICAS="3")
    assert result.code == 0
    assert len(harness.world.writes()) == 1
    assert (web.image, web.replicas, len(pods_of(web))) == (NEW_IMAGE, 3, 3)
    assert env_of(web) == [
        {"Name": "LOG", "Value": "debug"},
        CONFIG["Env"][2],
        {"Name": "NEW_FLAG", "Value": CANARY},
    ]
    now = json.loads(web.other_docker_config)
    assert {**now, "Env": None} == {**CONFIG, "Env": None}
    assert (web.allocation_tags, web.flags) == ("tier-app", flags)


def test_the_plan_shows_names_only(harness: Harness) -> None:
    """Of variables that are added, changed and removed, and of the replicas."""
    harness.web(other_docker_config=TEXT)
    result = configure(harness, REPLICAS="3", DRY_RUN="true")
    assert (
        "Plan: web: team/web:1.4.1 -> team/web:1.4.2, ~ LOG, + NEW_FLAG, - OLD_FLAG, "
        "replicas 2 -> 3" in result.log
    )
    assert harness.world.writes() == []


def test_a_variable_from_a_secret_becoming_plain_text_is_shown(harness: Harness) -> None:
    """It stops following the secret."""
    harness.web(other_docker_config=TEXT)
    result = harness.deploy(ENV=f"KEY={CANARY}", DRY_RUN="true")
    assert "~ KEY (plain text instead of its value from a secret or reference)" in result.log


def test_a_configuration_in_place_is_nothing_to_do(harness: Harness) -> None:
    """Order, spelling and other variables do not matter."""
    harness.web(other_docker_config=TEXT)
    result = harness.deploy(OLD_IMAGE, ENV="LOG=info", ENV_REMOVE="GONE", REPLICAS="2")
    assert (result.code, harness.world.writes()) == (0, [])
    assert "Nothing to change" in result.stdout


def test_an_environment_alone_renews_every_pod_and_is_followed(harness: Harness) -> None:
    """Pods of the same image are new by their ReplicaSet."""
    web = harness.web(other_docker_config=TEXT)
    before = {pod.name for pod in pods_of(web)}
    result = configure(harness, OLD_IMAGE)
    assert result.code == 0
    assert len(harness.world.writes()) == 1
    assert not before & {pod.name for pod in pods_of(web)}
    assert result.seconds >= harness.world.rollout_seconds + 5
    assert "with ~ LOG, + NEW_FLAG, - OLD_FLAG: 2 pods up" in result.stdout


@pytest.mark.parametrize(
    "shape", [{"statefulset": True}, {"daemonset": True}], ids=["statefulset", "daemonset"]
)
def test_pods_that_keep_their_names_are_renewed_as_well(
    harness: Harness, shape: dict[str, Any]
) -> None:
    """They are new by their containers."""
    web = harness.web(other_docker_config=TEXT, **shape)
    generations = len(web.generations)
    assert configure(harness, OLD_IMAGE).code == 0
    assert {pod.generation for pod in pods_of(web)} == {web.generation}
    assert len(web.generations) == generations + 1


@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 1), (2, 0)])
def test_replicas_alone_are_followed_without_renewing_pods(
    harness: Harness, before: int, after: int
) -> None:
    """Until there are exactly so many."""
    web = harness.web(replicas=before)
    names = {pod.name for pod in pods_of(web)}
    assert harness.deploy(OLD_IMAGE, REPLICAS=str(after)).code == 0
    assert len(pods_of(web)) == after
    assert len(names & {pod.name for pod in pods_of(web)}) == min(before, after)
    assert web.history[-1]["Image"] == OLD_IMAGE


def test_native_docker_keeps_its_environment_in_another_text(harness: Harness) -> None:
    """A JSON object, in which nothing else changes."""
    text = json.dumps({"LOG": "info", "OLD_FLAG": THEIRS, "N": 7})
    web = harness.web(platform=0, extra_config=text)
    config = web.other_docker_config
    assert configure(harness).code == 0
    assert json.loads(web.extra_config) == {"LOG": "debug", "N": 7, "NEW_FLAG": CANARY}
    assert web.other_docker_config == config


def test_a_side_container_gets_its_environment_and_image_together(harness: Harness) -> None:
    """Its image is in the same text."""
    web = harness.web(other_docker_config=TEXT)
    result = harness.run(
        SERVICES=f"web={NEW_IMAGE} web/log=team/log:4", ENV="web/log:PORT=1\nweb/web:A=2"
    )
    assert result.code == 0
    assert len(harness.world.writes()) == 1
    assert json.loads(web.other_docker_config)["additionalContainers"] == [
        {"name": "log", "image": "team/log:4", "env": [{"name": "PORT", "value": "1"}]}
    ]
    assert env_of(web)[-1] == {"Name": "A", "Value": "2"}


@pytest.mark.parametrize("image", [BAD, OLD_IMAGE])
def test_a_rollback_restores_image_environment_and_replicas_in_one_write(
    harness: Harness, image: str
) -> None:
    """Byte for byte the same JSON values, also where only the configuration was changed."""
    web = harness.web(other_docker_config=TEXT)
    harness.world.behave(BAD, Behaviour("crash"))
    harness.dependencies["runner"] = FakeRunner(status=1)
    variables = {} if image == BAD else {"POST_DEPLOY_TEST": "test"}
    result = configure(harness, image, REPLICAS="3", ROLLBACK="true", **variables)
    assert result.code == 8
    assert len(harness.world.writes()) == 2
    assert (web.image, web.replicas, len(pods_of(web))) == (OLD_IMAGE, 2, 2)
    assert json.loads(web.other_docker_config) == CONFIG
    assert {pod.generation for pod in pods_of(web)} == {web.generation}
    page = (harness.report_dir / "deploy.html").read_text("utf-8")
    assert "~ LOG, + NEW_FLAG, - OLD_FLAG" in page


def test_a_rollback_keeps_what_the_portal_added_meanwhile(harness: Harness) -> None:
    """The portal adds keys of its own: the present is compared as values."""
    web = harness.web(other_docker_config=TEXT)
    harness.world.behave(BAD, Behaviour("crash"))

    def add() -> None:
        config = json.loads(web.other_docker_config)
        config["ServiceAccountName"] = "added"
        web.other_docker_config = json.dumps(config)

    at_time(harness.clock, 1.0, add)
    assert configure(harness, BAD, ROLLBACK="true").code == 8
    assert json.loads(web.other_docker_config) == {**CONFIG, "ServiceAccountName": "added"}


def test_an_environment_that_others_changed_since_is_left_alone(harness: Harness) -> None:
    """Theirs may need the image that was just deployed."""
    web = harness.web(other_docker_config=TEXT)
    harness.world.behave(BAD, Behaviour("crash"))

    def change() -> None:
        web.other_docker_config = web.other_docker_config.replace("debug", "trace")

    at_time(harness.clock, 1.0, change)
    assert configure(harness, BAD, ROLLBACK="true").code == 7
    assert "another deployment changed it; it is now set to another environment" in harness.output
    assert '"trace"' in web.other_docker_config


def test_replicas_that_others_changed_since_stay(harness: Harness) -> None:
    """All else is restored."""
    web = harness.web(other_docker_config=TEXT)
    harness.world.behave(BAD, Behaviour("crash"))
    at_time(harness.clock, 1.0, lambda: web.scale(4))
    assert configure(harness, BAD, REPLICAS="3", ROLLBACK="true").code == 8
    assert (web.image, web.replicas) == (OLD_IMAGE, 4)


def test_an_environment_changed_between_plan_and_write_is_a_conflict(harness: Harness) -> None:
    """The write replaces the whole text."""
    web = harness.web(other_docker_config=TEXT)

    def change() -> None:
        web.other_docker_config = TEXT.replace('"info"', '"warn"')

    harness.dependencies["runner"] = FakeRunner(change)
    assert configure(harness, PRE_DEPLOY_TEST="test").code == 7
    assert "its environment or its replicas are not what they were before" in harness.output
    assert harness.world.writes() == []


@pytest.mark.parametrize("kind", ["reset-after", "silence-after"])
def test_a_lost_reply_to_a_configuration_is_looked_up(harness: Harness, kind: Any) -> None:
    """The values show whether the portal made the change."""
    harness.web(other_docker_config=TEXT)
    harness.world.script(ApiFault("POST", "ReplicationControllerChange", kind=kind))
    assert configure(harness, OLD_IMAGE).code == 0
    assert len(harness.world.writes()) == 1


STEP = {"BITBUCKET_PIPELINE_UUID": "{p}", "BITBUCKET_STEP_UUID": "{s}"}


def interrupt() -> None:
    """Raise what SIGTERM becomes inside a run."""
    raise KeyboardInterrupt


def test_an_environment_that_a_killed_run_changed_is_followed(harness: Harness) -> None:
    """Its previous pods run the same image; the record identifies them."""
    web = harness.web(other_docker_config=TEXT)
    harness.world.rollout_seconds = 60.0
    at_time(harness.clock, 2.0, interrupt)
    assert configure(harness, OLD_IMAGE, **STEP).code == 11
    result = configure(harness, OLD_IMAGE, **STEP, BITBUCKET_STEP_RUN_NUMBER="2")
    assert result.code == 0
    assert result.seconds > 30
    assert len(harness.world.writes()) == 1
    assert {pod.generation for pod in pods_of(web)} == {web.generation}


@pytest.mark.parametrize("kept", [True, False])
def test_a_killed_runs_environment_cannot_be_rolled_back(harness: Harness, kept: bool) -> None:
    """Its former values are in no record, and the previous image alone is not what ran."""
    web = harness.web(other_docker_config=TEXT)
    harness.clock.advance(86400.0)
    harness.world.behave(BAD, Behaviour("crash"))
    at_time(harness.clock, 2.0, interrupt)
    assert configure(harness, BAD, ROLLBACK="true", **STEP).code == 11
    again = {"BITBUCKET_STEP_RUN_NUMBER": "2"} | ({} if kept else {"REPORT_DIR": ""})
    result = configure(harness, BAD, ROLLBACK="true", **STEP, **again)
    assert result.code == 9
    assert "no record holds their former values" in result.text
    assert web.image == BAD
    assert len(harness.world.writes()) == 1


@pytest.mark.parametrize(
    ("config", "env", "reason"),
    [
        ('{"Env": [] // comment\n}', "A=1", "its OtherDockerConfig cannot be edited: it is not"),
        (TEXT, "web/lgo:A=1", "names web/lgo, a container that does not exist. Did you mean log?"),
    ],
)
def test_what_cannot_be_set_is_refused_before_anything_changes(
    harness: Harness, config: str, env: str, reason: str
) -> None:
    """All problems at once."""
    harness.web(other_docker_config=config, hpa=(1, 3))
    result = harness.deploy(ENV=env, REPLICAS="3")
    assert result.code == 2
    assert reason in result.log
    assert "REPLICAS cannot be set for web: an autoscaler sets the number of its pods" in result.log
    assert harness.world.writes() == []


@pytest.mark.parametrize("shape", [{"daemonset": True}, {"asg": "workers"}])
def test_replicas_are_refused_where_the_hosts_decide(harness: Harness, shape: Any) -> None:
    """The number would have no effect."""
    harness.web(**shape)
    assert harness.deploy(REPLICAS="3").code == 2
    assert "the hosts decide the number of its pods" in harness.output


def test_a_text_that_cannot_be_edited_does_not_matter_without_env(harness: Harness) -> None:
    """An image is changed without it."""
    harness.web(other_docker_config="{ // comment\n}")
    assert harness.deploy(REPLICAS="3").code == 0


def test_a_rollback_action_takes_no_configuration(harness: Harness) -> None:
    """It restores images, and would set something else besides."""
    harness.web()
    assert harness.deploy(ACTION="rollback", ENV="A=1").code == 2
    assert "'rollback' restores images only" in harness.output


def test_restart_and_replicas_alone_are_refused(harness: Harness) -> None:
    """They would be two writes."""
    harness.web()
    assert harness.deploy(OLD_IMAGE, RESTART="true", REPLICAS="3").code == 2
    assert "cannot restart web in the write that sets its replicas" in harness.output


def test_restart_with_an_environment_is_one_write(harness: Harness) -> None:
    """The change renews the pods; what is in place already is restarted."""
    web = harness.web()
    assert harness.deploy(OLD_IMAGE, RESTART="true", ENV="LOG=debug").code == 0
    assert (len(harness.world.writes()), web.starts) == (1, 2)
    assert harness.deploy(OLD_IMAGE, RESTART="true", ENV="LOG=debug").code == 0
    assert (len(harness.world.writes()), web.starts) == (2, 4)


def test_values_in_the_logs_of_pods_are_masked(harness: Harness) -> None:
    """Those of this step and those from before."""
    harness.web(other_docker_config=TEXT)
    harness.world.behave(BAD, Behaviour("crash", log=(f"ours {CANARY}", f"theirs {THEIRS}")))
    assert configure(harness, BAD).code == 10
    assert "ours ***" in harness.output
    assert "theirs ***" in harness.output


@pytest.mark.parametrize(("rollback", "code"), [("true", 8), ("false", 4)])
def test_a_refusal_of_replicas_that_the_portal_set_does_not_deny_them(
    harness: Harness, rollback: str, code: int
) -> None:
    """Nothing but their number shows that the change was made."""
    web = harness.web()
    harness.world.script(ApiFault("POST", "Change$", status=403, body="blocked", acts=True))
    result = harness.deploy(OLD_IMAGE, REPLICAS="3", ROLLBACK=rollback)
    assert result.code == code
    assert web.replicas == (2 if code == 8 else 3)
    assert "othing was changed" not in result.stdout
