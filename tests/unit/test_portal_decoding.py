"""Decode the portal's JSON into types."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe.portal import Phase
from pipe.portal.faults import decode_faults
from pipe.portal.fields import UnexpectedShape
from pipe.portal.pods import decode_log
from pipe.portal.service_body import decode_found
from pipe.portal.tenants import decode_tenants
from tests.support.portal_lists import decode_pods, decode_services

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


def test_a_service_is_decoded_with_all_its_containers() -> None:
    """The main container has the service's name, side and init containers have their own."""
    service = decode_found(SERVICE)
    assert service is not None
    assert service.image == "team/web:2"
    assert service.other_images == {"log": "team/log:3", "migrate": "team/migrate:9"}
    assert (service.replicas, service.replicas_active, service.min_replicas) == (2, 2, 3)
    assert service.history == ({"": "team/web:0"}, {"": "team/web:1"})
    assert service.flags == {"IsDaemonset": False, "IsReplicaCollocationAllowed": True}
    assert service.allocation_tags == ""


def test_zero_is_a_code_and_not_an_absent_value() -> None:
    """AgentPlatform 0 is native docker, Cloud 0 is AWS."""
    service = decode_found(SERVICE)
    assert service is not None
    assert service.native_docker
    assert service.cloud == 0


def test_the_cloud_does_not_decide_between_kubernetes_and_docker() -> None:
    """AgentPlatform 7 is Kubernetes anywhere; only Cloud 2 is Azure."""
    azure = {**SERVICE, "Template": {"AgentPlatform": 7, "Cloud": 2}}
    service = decode_found(azure)
    assert service is not None
    assert service.faults_by_service
    assert not service.native_docker


@pytest.mark.parametrize("config", ["", None, "{}", '{"Env":null}', "{broken", "[]", "null", 7])
def test_an_unreadable_other_docker_config_means_no_other_images(config: Any) -> None:
    """It is a text field with arbitrary content."""
    body = copy.deepcopy(SERVICE)
    body["Template"]["OtherDockerConfig"] = config  # type: ignore[index]
    service = decode_found(body)
    assert service is not None
    assert service.other_images == {}


def test_null_and_an_object_without_a_name_mean_not_found() -> None:
    """Status 404 means the same, but never reaches the decoder."""
    assert decode_found(None) is None
    assert decode_found({"Name": ""}) is None


def test_a_pod_is_decoded_with_its_container_states() -> None:
    """Newer portals report why a container crashed."""
    (pod,) = decode_pods([POD])
    (container,) = pod.containers
    assert (pod.name, pod.owner, pod.phase) == ("web-1", "web", Phase.RUNNING)
    assert (container.restarts, container.waiting, container.exit_code) == (
        1,
        "CrashLoopBackOff",
        137,
    )


def test_pods_of_jobs_are_left_out() -> None:
    """Pods with any other controller, or with none, are kept."""
    drivers = ["batch/v1/Job", "apps/v1/StatefulSet", "apps/v1/DaemonSet"]
    pods = [
        {**POD, "ControlledBy": {"QualifiedType": f"kubernetes:{kind}", "NativeId": "x"}}
        for kind in drivers
    ]
    assert len(decode_pods([*pods, {**POD, "ControlledBy": None}])) == 3


def test_faults_name_a_pod_or_a_service() -> None:
    """A service on Azure, a pod elsewhere."""
    azure = {"ResourceName": "web", "Description": "x"}
    by_pod, by_service = decode_faults([FAULT, azure])
    assert by_pod.resources == {"web-1"}
    assert by_service.resources == {"web"}
    assert by_pod.severity > by_service.severity


@pytest.mark.parametrize("read", [decode_tenants, decode_services, decode_pods, decode_faults])
def test_only_null_counts_as_an_empty_list(read: Any) -> None:
    """Any other shape is an error."""
    assert read(None) == ()
    assert read([None, 1, "x", []]) == ()
    others: tuple[Any, ...] = ({}, "text", 7, True)
    for other in others:
        with pytest.raises(UnexpectedShape, match="a list"):
            read(other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def broken(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return `body` with fields at any depth missing or replaced by another JSON value."""

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
    """No field of a list entry makes decoding fail."""
    decode_services([service])
    decode_found(service)
    decode_pods([pod])
    decode_faults([fault])
    decode_log(pod)
