"""From the portal's JSON to types."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe.portal import Phase, wire
from tests.support.listed import listed_pods, listed_services

SERVICE = {
    "Name": "web",
    "Replicas": 2,
    "ReplicasActive": 2,
    "IsDaemonset": False,
    "LastDeployedAt": "2026-02-03T10:11:12Z",
    "HPASpecs": {"minReplicas": 3},
    "IsReplicaCollocationAllowed": True,
    "ContainerImageHistory": [
        {"Image": "team/web:1", "DeployedAt": "2026-01-02"},
        {"Image": "team/web:0", "DeployedAt": "2026-01-01"},
    ],
    "Template": {
        "AgentPlatform": 0,
        "Cloud": 0,
        "AllocationTags": None,
        "Containers": [
            {"Name": "other", "Image": "team/other:1"},
            {"Name": "web", "Image": "team/web:2"},
        ],
        "OtherDockerConfig": '{"AdditionalContainers":[{"Name":"log","Image":"team/log:3"}],'
        '"initContainers":[{"name":"migrate","image":"team/migrate:9"}],"Env":null}',
    },
}
POD = {
    "Name": "web",
    "InstanceId": "web-1",
    "CurrentStatus": 1,
    "DesiredStatus": 1,
    "Host": "h",
    "ControlledBy": {"QualifiedType": "kubernetes:apps/v1/ReplicaSet", "NativeId": "web-6d"},
    "Containers": [
        {
            "Name": "web",
            "Image": "team/web:2",
            "DockerId": "3f",
            "RestartCount": 1,
            "LastContainerState": {
                "waiting": {"reason": "CrashLoopBackOff", "message": "back-off"},
                "terminated": {"exitCode": 137},
            },
        }
    ],
}
FAULT = {
    "Resource": {"QualifiedType": "kubernetes:v1/Pod", "NativeId": "web-1", "Name": "web-1"},
    "ResourceName": None,
    "Description": "Back-off",
    "Severity": 5,
    "LastSeen": "2026-02-03T10:13:00Z",
}


def test_a_service_is_read_whole() -> None:
    """The main container goes by the service's name, side and init ones by their own."""
    service = wire.service(SERVICE)
    assert service is not None
    assert service.image == "team/web:2"
    assert service.other_images == {"log": "team/log:3", "migrate": "team/migrate:9"}
    assert (service.replicas, service.replicas_active, service.least) == (2, 2, 3)
    assert service.history == ({"": "team/web:0"}, {"": "team/web:1"})
    assert service.flags == {"IsDaemonset": False, "IsReplicaCollocationAllowed": True}
    assert service.allocation_tags == ""


def test_zero_is_a_code_and_not_nothing() -> None:
    """Trap 31: AgentPlatform 0 is native docker, Cloud 0 is AWS."""
    service = wire.service(SERVICE)
    assert service is not None
    assert service.native_docker
    assert service.cloud == 0


def test_kubernetes_is_told_from_its_cloud() -> None:
    """Trap 30: AgentPlatform 7 is Kubernetes anywhere; only Cloud 2 is Azure."""
    azure = {**SERVICE, "Template": {"AgentPlatform": 7, "Cloud": 2}}
    service = wire.service(azure)
    assert service is not None
    assert service.faults_by_service
    assert not service.native_docker


@pytest.mark.parametrize("config", ["", None, "{}", '{"Env":null}', "{broken", "[]", "null", 7])
def test_any_text_of_other_docker_config_is_survived(config: Any) -> None:
    """Trap 19: it is text, and anything may be in it."""
    body = copy.deepcopy(SERVICE)
    body["Template"]["OtherDockerConfig"] = config  # type: ignore[index]
    service = wire.service(body)
    assert service is not None
    assert service.other_images == {}


def test_no_such_service_has_three_forms() -> None:
    """Null, and an object without a name; a missing one is a status."""
    assert wire.service(None) is None
    assert wire.service({"Name": ""}) is None


def test_a_pod_is_read_whole() -> None:
    """With the crash evidence that newer portals give."""
    (pod,) = listed_pods([POD])
    (container,) = pod.containers
    assert (pod.name, pod.owner, pod.phase) == ("web-1", "web", Phase.RUNNING)
    assert (container.restarts, container.waiting, container.exit_code) == (
        1,
        "CrashLoopBackOff",
        137,
    )


def test_pods_of_jobs_are_left_out_and_others_kept() -> None:
    """Trap 8: any controller but a job's, and none at all."""
    drivers = ["batch/v1/Job", "apps/v1/StatefulSet", "apps/v1/DaemonSet"]
    pods = [
        {**POD, "ControlledBy": {"QualifiedType": f"kubernetes:{kind}", "NativeId": "x"}}
        for kind in drivers
    ]
    assert len(listed_pods([*pods, {**POD, "ControlledBy": None}])) == 3


def test_faults_have_two_shapes() -> None:
    """Trap 13: by pod, and by service on Azure."""
    azure = {"ResourceName": "web", "Description": "x"}
    by_pod, by_service = wire.faults([FAULT, azure])
    assert by_pod.resources == {"web-1"}
    assert by_service.resources == {"web"}
    assert by_pod.gravity > by_service.gravity


@pytest.mark.parametrize("read", [wire.tenants, listed_services, listed_pods, wire.faults])
def test_a_list_may_be_null_and_must_not_be_anything_else(read: Any) -> None:
    """Null is empty; a wrong shape is nonsense, not emptiness."""
    assert read(None) == ()
    assert read([None, 1, "x", []]) == ()
    for nonsense in ({}, "text", 7, True):
        with pytest.raises(wire.Shapeless, match="a list"):
            read(nonsense)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def broken(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """`body` with any of its fields, at any depth, missing or replaced by anything."""

    def tamper(value: Any) -> st.SearchStrategy[Any]:
        if isinstance(value, dict):
            fields = {key: tamper(entry) for key, entry in value.items()}
            return st.fixed_dictionaries({}, optional=fields) | JSON
        if isinstance(value, list):
            return st.tuples(*map(tamper, value)).map(list) | JSON
        return st.just(value) | JSON

    fields = {key: tamper(entry) for key, entry in body.items()}
    return st.fixed_dictionaries({}, optional=fields)


@settings(max_examples=300, deadline=None)
@given(service=broken(SERVICE), pod=broken(POD), fault=broken(FAULT))
def test_any_field_may_be_missing_null_or_of_another_type(
    service: dict[str, Any], pod: dict[str, Any], fault: dict[str, Any]
) -> None:
    """No body of the right shape makes the reader fail."""
    listed_services([service])
    wire.service(service)
    listed_pods([pod])
    wire.faults([fault])
    wire.log_lines(pod)
