"""Kubernetes' objects, decoded: whatever is missing or wrong in them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe.kinds.service.problems import find_problem
from pipe.kubernetes import WorkloadKind
from pipe.kubernetes.events import decode_event
from pipe.kubernetes.objects import entries
from pipe.kubernetes.pods import decode_pod
from pipe.kubernetes.rights import is_allowed
from pipe.kubernetes.workloads import decode_workload
from pipe.model import MAIN
from pipe.portal import Phase, Termination
from pipe.portal.fields import UnexpectedShape

POD: dict[str, Any] = {
    "metadata": {
        "name": "web-5d8f9c7b6d-x2x4z",
        "uid": "u-1",
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d8f9c7b6d"}
        ],
    },
    "spec": {
        "nodeName": "node-1",
        "containers": [{"name": "web", "image": "team/web:2"}],
        "initContainers": [{"name": "migrate", "image": "team/web:2"}],
    },
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [
            {
                "name": "web",
                "image": "sha256:0",
                "restartCount": 2,
                "containerID": "containerd://abc",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
                "lastState": {"terminated": {"reason": "Error", "exitCode": 137, "signal": 9}},
            }
        ],
    },
}
DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "web", "generation": 4},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "containers": [
                    {"name": "log", "image": "team/log:1"},
                    {"name": "web", "image": "team/web:2"},
                ]
            }
        },
    },
    "status": {
        "observedGeneration": 4,
        "replicas": 4,
        "updatedReplicas": 2,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "conditions": [{"type": "Available", "status": "True", "reason": "x", "message": "y"}],
    },
}
EVENT: dict[str, Any] = {
    "involvedObject": {"kind": "Pod", "name": "web-1", "uid": "u-1"},
    "reason": "Unhealthy",
    "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
    "type": "Warning",
    "count": 7,
    "firstTimestamp": "2026-02-03T10:00:00Z",
    "lastTimestamp": "2026-02-03T10:00:07Z",
}
DECODERS = {
    "pod": (POD, decode_pod),
    "deployment": (DEPLOYMENT, lambda item: decode_workload(item, WorkloadKind.DEPLOYMENT)),
    "set": (DEPLOYMENT, lambda item: decode_workload(item, WorkloadKind.STATEFUL_SET)),
    "daemon": (DEPLOYMENT, lambda item: decode_workload(item, WorkloadKind.DAEMON_SET)),
    "event": (EVENT, decode_event),
}


def test_a_pod_shows_readiness_and_how_its_container_ended_before() -> None:
    pod = decode_pod(POD)
    assert (pod.ready, pod.phase, pod.controller, pod.uid) == (
        False,
        Phase.WAITING,
        "web-5d8f9c7b6d",
        "u-1",
    )
    (container,) = pod.containers
    assert container.last == Termination("Error", 137, 9)
    assert (container.image, container.docker_id, container.restarts) == ("team/web:2", "abc", 2)
    assert [one.name for one in pod.init_containers] == ["migrate"]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"reason": "OOMKilled", "exitCode": 137}, "exit code 137, OOMKilled"),
        ({"reason": "Error", "exitCode": 137}, "exit code 137, SIGKILL"),
        ({"reason": "Error", "exitCode": 143}, "exit code 143, SIGTERM"),
        ({"reason": "Error", "exitCode": 1}, "exit code 1,"),
        ({"reason": "Error", "exitCode": 255}, "exit code 255,"),
        ({"reason": "Completed", "exitCode": 0}, "exit code 0,"),
        ({}, "(container web, ended 3 times"),
    ],
)
def test_the_end_of_a_container_is_named(end: dict[str, Any], words: str) -> None:
    item = copy.deepcopy(POD)
    item["status"]["containerStatuses"][0]["lastState"] = {"terminated": end}
    assert words in str(find_problem(decode_pod(item), (), 3, shows_state=True))


def test_a_deployment_is_read_with_its_main_image_and_selector() -> None:
    workload = decode_workload(DEPLOYMENT, WorkloadKind.DEPLOYMENT)
    assert workload.images == {MAIN: "team/web:2", "log": "team/log:1"}
    assert workload.selector == (("app", "web"),)
    assert (workload.wanted, workload.total, workload.updated) == (3, 4, 2)
    assert not workload.is_available


def test_a_set_of_an_older_kubernetes_counts_ready_pods_as_available() -> None:
    item = copy.deepcopy(DEPLOYMENT)
    del item["status"]["availableReplicas"]
    assert decode_workload(item, WorkloadKind.STATEFUL_SET).available == 3
    assert decode_workload(item, WorkloadKind.DEPLOYMENT).available == 0


def test_a_selector_that_is_more_than_labels_is_not_used() -> None:
    item = copy.deepcopy(DEPLOYMENT)
    item["spec"]["selector"]["matchExpressions"] = [{"key": "tier", "operator": "Exists"}]
    assert decode_workload(item, WorkloadKind.DEPLOYMENT).selector == ()


def test_an_event_of_a_newer_component_counts_in_a_series() -> None:
    event = decode_event(
        {
            **EVENT,
            "count": None,
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": "2026-02-03T10:00:00.660000Z",
            "series": {"count": 4, "lastObservedTime": "2026-02-03T10:00:30.000000Z"},
        }
    )
    assert event.count == 4
    assert event.first
    assert event.last
    assert (event.last - event.first).total_seconds() == pytest.approx(29.34)


@pytest.mark.parametrize("body", [None, [], "x", {"items": "x"}, {"items": {"a": 1}}])
def test_a_list_must_be_one(body: Any) -> None:
    with pytest.raises(UnexpectedShape):
        list(entries(body))


def test_a_list_is_bounded() -> None:
    with pytest.raises(UnexpectedShape, match="50,000"):
        entries({"items": [{}] * 50_001})


@pytest.mark.parametrize("status", [{"allowed": "true"}, {"allowed": 1}, {}, None])
def test_only_a_clear_yes_is_a_right(status: Any) -> None:
    assert not is_allowed({"status": status})
    assert is_allowed({"status": {"allowed": True}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def places(item: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value within an object."""
    inner = item.items() if isinstance(item, dict) else enumerate(item)
    found = []
    for key, value in inner:
        found.append((*path, key))
        if isinstance(value, (dict, list)):
            found += places(value, (*path, key))
    return found


@pytest.mark.parametrize("kind", DECODERS)
@settings(max_examples=60)
@given(data=st.data())
def test_no_value_of_any_type_breaks_the_decoding(kind: str, data: st.DataObject) -> None:
    """Replace the value at any place, or remove it."""
    plain, decode = DECODERS[kind]
    item = copy.deepcopy(plain)
    *path, last = data.draw(st.sampled_from(places(item)))
    parent: Any = item
    for key in path:
        parent = parent[key]
    parent[last] = data.draw(JSON)
    decode(item)
