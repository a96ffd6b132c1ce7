"""A task definition is registered again as it was read, with another image."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipe.portal.ecs import TaskDefinition, registration
from tests.sandbox.task_definition import ADDED, REFUSED_ZEROS, as_aws_answers, check

words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
wrapped = st.fixed_dictionaries({"Value": words})
pairs = st.lists(st.fixed_dictionaries({"Name": words, "Value": words}), max_size=3)
container_extras = st.fixed_dictionaries(
    {},
    optional={
        "Cpu": st.integers(0, 4),
        "Memory": st.integers(0, 4),
        "MemoryReservation": st.integers(0, 4),
        "StartTimeout": st.integers(0, 2),
        "StopTimeout": st.integers(0, 2),
        "Environment": pairs,
        "Secrets": pairs,
        "Command": st.lists(words, max_size=2),
        "Privileged": st.booleans(),
        "ReadonlyRootFilesystem": st.booleans(),
        "Interactive": st.booleans(),
        "User": st.none() | words,
        "LinuxParameters": st.fixed_dictionaries(
            {},
            optional={"SharedMemorySize": st.integers(0, 2), "InitProcessEnabled": st.booleans()},
        ),
        "PortMappings": st.lists(
            st.fixed_dictionaries({"ContainerPort": st.integers(1, 9), "HostPort": st.just(0)})
        ),
        "HealthCheck": st.fixed_dictionaries({"Retries": st.integers(0, 3), "Timeout": st.just(0)}),
        "LogConfiguration": st.fixed_dictionaries({"LogDriver": wrapped}),
        "DockerLabels": st.dictionaries(words, words, max_size=2),
        "Tomorrow": st.booleans(),
    },
)
definition_extras = st.fixed_dictionaries(
    {},
    optional={
        "Cpu": words,
        "Memory": words,
        "NetworkMode": wrapped,
        "PidMode": wrapped,
        "IpcMode": wrapped,
        "Tags": pairs,
        "TaskRoleArn": words,
        "ExecutionRoleArn": words,
        "EphemeralStorage": st.fixed_dictionaries({"SizeInGiB": st.integers(20, 30)}),
        "EnableFaultInjection": st.booleans(),
        "RuntimePlatform": st.none() | st.fixed_dictionaries({"CpuArchitecture": wrapped}),
        "RequiresCompatibilities": st.lists(words, max_size=2),
        "PlacementConstraints": st.lists(st.fixed_dictionaries({"Type": wrapped}), max_size=1),
        "ProxyConfiguration": st.none(),
        "InferenceAccelerators": st.just([]),
        "Volumes": st.lists(
            st.fixed_dictionaries(
                {"Name": words},
                optional={
                    "EfsVolumeConfiguration": st.fixed_dictionaries(
                        {"FileSystemId": words}, optional={"TransitEncryptionPort": st.just(0)}
                    )
                },
            ),
            max_size=2,
        ),
        "NextYear": st.integers(0, 1),
    },
)


@st.composite
def definitions(draw: Callable[..., Any]) -> dict[str, Any]:
    """Return a definition as AWS returns it, with zeros for values that were not set."""
    names = draw(st.lists(words, min_size=1, max_size=4, unique=True))
    containers = [
        {"Name": name, "Image": f"team/{name}:1", "Essential": not place or draw(st.booleans())}
        | draw(container_extras)
        for place, name in enumerate(names)
    ]
    given_ = draw(definition_extras) | {"Family": "app", "ContainerDefinitions": containers}
    return as_aws_answers(given_) | ADDED | {"TaskDefinitionArn": "arn:app:1", "Revision": 1}


def without_refused_fields(document: dict[str, Any]) -> dict[str, Any]:
    """Return the definition without what AWS refuses, computed independently."""
    expected = copy.deepcopy(document)
    for key in ("TaskDefinitionArn", "Revision", *ADDED):
        expected.pop(key)
    for container in expected["ContainerDefinitions"]:
        for key in REFUSED_ZEROS:
            if container.get(key) == 0:
                container.pop(key)
        if container.get("LinuxParameters", {}).get("SharedMemorySize") == 0:
            container["LinuxParameters"].pop("SharedMemorySize")
    for volume in expected.get("Volumes", []):
        volume.get("EfsVolumeConfiguration", {}).pop("TransitEncryptionPort", None)
    return expected


@given(definitions(), st.data())
def test_a_registration_differs_only_by_the_image(
    document: dict[str, Any], data: st.DataObject
) -> None:
    """AWS accepts it, and the document that was read is unchanged."""
    names = [one["Name"] for one in document["ContainerDefinitions"]]
    name = data.draw(st.sampled_from(names))
    original = copy.deepcopy(document)
    definition = TaskDefinition("arn:app:1", "app", dict.fromkeys(names, ""), document)
    body = registration(definition, {name: "team/new:2"})
    check(body)
    assert document == original
    place = names.index(name)
    assert body["ContainerDefinitions"][place]["Image"] == "team/new:2"
    body["ContainerDefinitions"][place]["Image"] = f"team/{name}:1"
    assert body == without_refused_fields(document)


@given(definitions())
def test_a_registered_definition_is_read_back_unchanged(document: dict[str, Any]) -> None:
    """Only the revision and the fields that AWS adds differ."""
    definition = TaskDefinition("arn:app:1", "app", {}, document)
    again = as_aws_answers(registration(definition, {}))
    for key in ("TaskDefinitionArn", "Revision", *ADDED):
        document.pop(key)
    for container in document["ContainerDefinitions"]:
        if container.get("LinuxParameters", {}).get("SharedMemorySize") == 0:
            container["LinuxParameters"].pop("SharedMemorySize")
    for volume in document.get("Volumes", []):
        volume.get("EfsVolumeConfiguration", {}).pop("TransitEncryptionPort", None)
    assert again == document
