"""Editing the environment of containers, in the texts and objects that the platform keeps."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from pipe.configuration import (
    Configuration,
    EnvironmentEdit,
    Present,
    describe,
    remaining,
)
from pipe.model import MAIN
from pipe.portal import cronjobs, docker_config, ecs
from pipe.portal.cronjobs import CronJob
from pipe.portal.ecs import TaskDefinition
from pipe.secret import Secret

NAMES = ("LOG_LEVEL", "PORT", "url", "FEATURE.X", "A-B", "DB_PASSWORD")


def edit(removed: tuple[str, ...] = (), **values: str) -> EnvironmentEdit:
    """Return an edit."""
    return EnvironmentEdit({k: Secret(v) for k, v in values.items()}, frozenset(removed))


def case(rng: random.Random, key: str) -> str:
    """Return a key in one of the letter cases that people type."""
    return rng.choice([key, key.capitalize(), key.lower(), key.upper()])


def entry(rng: random.Random, name: str) -> dict[str, Any]:
    """Return an entry of an environment as people and portals write it."""
    made: dict[str, Any] = {case(rng, "name"): name}
    shape = rng.randrange(5)
    if shape == 0:
        reference = {"secretKeyRef": {"name": "db", "key": name, "optional": None}}
        made[rng.choice(["valueFrom", "ValueFrom"])] = reference
    elif shape == 1:
        made[case(rng, "value")] = rng.choice(["", "ü€", 'a"b\\', "x\ny", "$(OTHER)"])
    elif shape == 2:
        made[case(rng, "value")] = rng.choice([7, 1.5, True, None])
    else:
        made[case(rng, "value")] = rng.choice(["info", "8080"])
    if rng.random() < 0.2:
        made["x-unknown"] = [1, {"deep": None}]
    return made


def environment(rng: random.Random) -> Any:
    """Return an environment: null, empty or with entries, some of them strange."""
    if rng.random() < 0.1:
        return None
    entries: list[Any] = [entry(rng, name) for name in rng.sample(NAMES, rng.randrange(6))]
    if rng.random() < 0.1:
        entries.append(entry(rng, NAMES[0]))
    if rng.random() < 0.1:
        entries.append(rng.choice([None, "text", 5, {}]))
    return entries


def config(rng: random.Random) -> dict[str, Any]:
    """Return an `OtherDockerConfig`: odd letter cases, unknown keys, side and init containers."""
    made: dict[str, Any] = {"resources": {"limits": {"cpu": 0.1}}, "x": [{}, [], None]}
    if rng.random() < 0.85:
        made[case(rng, "env")] = environment(rng)
    if rng.random() < 0.5:
        made["EnvFrom"] = [{"secretRef": {"name": "db"}}]
    for section, name in (("initContainers", "migrate"), ("additionalContainers", "log")):
        if rng.random() < 0.5:
            container: dict[str, Any] = {case(rng, "name"): name, case(rng, "image"): f"{name}:1"}
            if rng.random() < 0.7:
                container[case(rng, "env")] = environment(rng)
            made[rng.choice([section, section.lower(), section.capitalize()])] = [container]
    keys = list(made)
    rng.shuffle(keys)
    return {key: made[key] for key in keys}


@pytest.mark.parametrize("seed", range(200))
def test_a_change_and_its_rollback_lose_nothing(seed: int) -> None:
    """Set, add and remove variables, then restore: the same JSON, in the same order."""
    rng = random.Random(seed)
    text = json.dumps(config(rng), ensure_ascii=False, indent=rng.choice([None, 2]))
    containers = [MAIN, *docker_config.images(text)]
    edits = {
        name: edit((rng.choice(NAMES),), NEW="new", LOG_LEVEL=rng.choice(["info", "debug"]))
        for name in containers
    }
    before = docker_config.environments(text)
    edited = docker_config.with_environments(text, edits)
    after = docker_config.environments(edited)
    for name in containers:
        wanted = dict(before[name])
        for gone in edits[name].removed:
            wanted.pop(gone, None)
        wanted |= edits[name].values
        assert after[name] == wanted
    restored = docker_config.with_former_environments(edited, text, edits)
    assert in_order(restored) == in_order(text)


def in_order(text: str) -> Any:
    """Return parsed JSON in which the order of keys counts."""
    return json.loads(text, object_pairs_hook=list)


def test_an_edit_that_changes_nothing_returns_the_same_values() -> None:
    """Also where the value is not a text."""
    text = '{"Env": [{"Name": "A", "Value": 1}], "b": 2}'
    assert json.loads(docker_config.with_environments(text, {MAIN: edit(A="1")})) == json.loads(
        text
    )


def test_new_entries_follow_the_letter_case_of_the_others() -> None:
    """The portal reads both."""
    edited = docker_config.with_environments(
        '{"env": [{"name": "A", "value": "1"}]}', {MAIN: edit(B="2")}
    )
    assert json.loads(edited) == {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    assert json.loads(docker_config.with_environments("", {MAIN: edit(B="2")})) == {
        "Env": [{"Name": "B", "Value": "2"}]
    }


def test_a_reference_becomes_plain_text() -> None:
    """The entry keeps its place and its other keys."""
    text = '{"Env": [{"Name": "A", "ValueFrom": {"SecretKeyRef": {}}, "z": 1}, {"Name": "B"}]}'
    edited = json.loads(docker_config.with_environments(text, {MAIN: edit(A="x")}))
    assert edited == {"Env": [{"Name": "A", "z": 1, "Value": "x"}, {"Name": "B"}]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"Env": [] // comment\n}', "it is not valid JSON"),
        ("[]", "it is not a JSON object"),
        ('{"Env": [], "env": []}', "it has Env and env, and it is unknown which one counts"),
        ('{"Env": {"A": "1"}}', "its Env is not a list"),
    ],
)
def test_a_text_that_cannot_be_edited_is_refused(text: str, reason: str) -> None:
    """With the reason, and nothing of its content."""
    with pytest.raises(ValueError, match=reason):
        docker_config.with_environments(text, {MAIN: edit(A="x")})


def test_the_description_shows_names_only() -> None:
    """Values of both sides may be secrets."""
    present = Present(
        {MAIN: {"SAME": Secret("1"), "LOG": Secret("info"), "KEY": None, "OLD": Secret("x")}}, 2
    )
    wanted = Configuration(
        {MAIN: edit(("OLD", "GONE"), SAME="1", LOG="debug", KEY="k", NEW="n")}, 3
    )
    assert describe(present, wanted) == (
        "~ LOG, ~ KEY (plain text instead of its value from a secret or reference), + NEW, - OLD",
        "replicas 2 -> 3",
    )


def test_nothing_remains_of_a_configuration_in_place() -> None:
    """Then there is nothing to change."""
    present = Present({MAIN: {"A": Secret("1")}}, 2)
    assert not remaining(present, Configuration({MAIN: edit(("B",), A="1")}, 2))
    assert remaining(present, Configuration({MAIN: edit(A="2")}, 2)).replicas is None


@pytest.mark.parametrize("seed", range(50))
def test_a_registered_revision_differs_only_by_the_edit(seed: int) -> None:
    """A variable from a secret moves to the plain ones; the revision read is left as it was."""
    rng = random.Random(seed)
    container = {
        "Name": "default",
        "Image": "a:1",
        "Environment": [
            {"Name": name, "Value": "x"} for name in rng.sample(NAMES[:4], rng.randrange(4))
        ],
        "Secrets": [{"Name": "DB_PASSWORD", "ValueFrom": "arn:x"}, {"Name": "K", "ValueFrom": "y"}],
    }
    document = {"Family": "f", "ContainerDefinitions": [container, {"Name": "log", "Image": "l:1"}]}
    original = copy.deepcopy(document)
    definition = TaskDefinition("arn:1", "f", {"default": "a:1", "log": "l:1"}, document)
    before = ecs.environments(definition)["default"]
    changes = edit(("PORT",), DB_PASSWORD="plain", NEW="n")
    body = ecs.registration(definition, {"default": "a:2"}, {"default": changes})
    after = ecs.environments(TaskDefinition("arn:2", "f", {}, body))["default"]
    wanted = {**before, **changes.values}
    wanted.pop("PORT", None)
    assert after == wanted
    assert body["ContainerDefinitions"][0]["Secrets"] == [{"Name": "K", "ValueFrom": "y"}]
    assert body["ContainerDefinitions"][1] == {"Name": "log", "Image": "l:1"}
    assert document == original


@pytest.mark.parametrize("seed", range(50))
def test_a_cronjob_is_changed_and_restored_without_loss(seed: int) -> None:
    """Every other part of the object stays as it was read."""
    rng = random.Random(seed)
    containers: list[dict[str, Any]] = [
        {"name": "job", "image": "a:1"},
        {"name": "s", "image": "s:1"},
    ]
    for container in containers:
        if rng.random() < 0.8:
            container["env"] = [
                {"name": name, "value": "x"} for name in rng.sample(NAMES, rng.randrange(4))
            ] or None
    pod = {"containers": containers, "restartPolicy": "Never"}
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    document = {"metadata": {"name": "job"}, "spec": spec}
    job = CronJob("job", "job", {MAIN: "a:1", "s": "s:1"}, "", "", document)
    edits = {MAIN: edit((NAMES[0],), NEW="n"), "s": edit(url="u")}
    body = cronjobs.replacement(job, {MAIN: "a:2"}, edits)
    changed = CronJob("job", "job", {}, "", "", body)
    assert cronjobs.environments(changed)[MAIN]["NEW"] == Secret("n")
    assert NAMES[0] not in cronjobs.environments(changed)[MAIN]
    back = cronjobs.restored(changed, {MAIN: "a:1"}, job, edits)
    assert back.pop("IsAnyHostAllowed") is False
    assert back == document
