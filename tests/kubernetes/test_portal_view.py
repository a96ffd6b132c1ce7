"""The mapping from Kubernetes to the portal, held against what the pipe's decoders read."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.portal.faults import decode_faults
from pipe.portal.pods import Phase, decode_pod
from pipe.portal.service_body import decode_service
from tests.kubernetes.portal_view import (
    DEFAULT,
    VARIANTS,
    Variant,
    fault_list,
    pod_list,
    pod_view,
    service_view,
)


def pod(**changes: Any) -> dict[str, Any]:
    """Return a ready pod of the Deployment `web`; `changes` go into its status."""
    return {
        "metadata": {
            "name": "web-abc-x1",
            "labels": {"app": "web"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc"}],
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "web", "image": "app:2"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": "web",
                    "image": "docker.io/library/app:2",
                    "containerID": "containerd://93308a",
                    "restartCount": 1,
                    "state": {"running": {}},
                    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                }
            ],
            **changes,
        },
    }


def waiting(reason: str) -> list[dict[str, Any]]:
    return [{"name": "web", "image": "app:2", "state": {"waiting": {"reason": reason}}}]


UNREADY = [{"type": "Ready", "status": "False"}]
UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
PHASES_ALONE = VARIANTS["phases-alone"]


@pytest.mark.parametrize(
    ("changes", "variant", "phase"),
    [
        ({}, DEFAULT, Phase.RUNNING),
        ({"phase": "Failed"}, DEFAULT, Phase.FAILED),
        ({"phase": "Failed", "reason": "Evicted"}, DEFAULT, Phase.EVICTED),
        ({"phase": "Pending"}, DEFAULT, Phase.PENDING),
        ({"phase": "Pending", "conditions": UNSCHEDULED}, DEFAULT, Phase.SCHEDULING_FAILED),
        ({"phase": "Pending", "conditions": UNSCHEDULED}, PHASES_ALONE, Phase.PENDING),
        ({"containerStatuses": waiting("CrashLoopBackOff")}, DEFAULT, Phase.WAITING),
        ({"containerStatuses": waiting("CrashLoopBackOff")}, PHASES_ALONE, Phase.RUNNING),
        (
            {"phase": "Pending", "containerStatuses": waiting("ErrImagePull")},
            DEFAULT,
            Phase.IMAGE_NOT_FOUND,
        ),
        (
            {"phase": "Pending", "containerStatuses": waiting("ContainerCreating")},
            DEFAULT,
            Phase.PENDING,
        ),
        ({"conditions": UNREADY}, DEFAULT, Phase.RUNNING),
        ({"conditions": UNREADY}, Variant(ready_is_running=True), Phase.PENDING),
    ],
)
def test_the_status_of_a_pod_is_the_code_for_its_state(
    changes: dict[str, Any], variant: Variant, phase: Phase
) -> None:
    assert decode_pod(pod_view(pod(**changes), variant)).phase is phase


def test_a_pod_shows_its_service_controller_node_and_containers() -> None:
    decoded = decode_pod(pod_view(pod()))
    (container,) = decoded.containers
    assert (decoded.owner, decoded.host) == ("web", "node-1")
    assert (decoded.controller, decoded.controller_kind) == (
        "web-abc",
        "kubernetes:apps/v1/ReplicaSet",
    )
    assert (container.image, container.docker_id) == ("docker.io/library/app:2", "93308a")
    assert (container.restarts, container.exit_code) == (1, None)


@pytest.mark.parametrize(
    ("variant", "restarts", "exit_code"),
    [("last-states", 1, 1), ("older", None, None)],
)
def test_container_states_are_shown_as_far_as_the_variant_knows_them(
    variant: str, restarts: int | None, exit_code: int | None
) -> None:
    (container,) = decode_pod(pod_view(pod(), VARIANTS[variant])).containers
    assert (container.restarts, container.exit_code) == (restarts, exit_code)


def test_a_deleted_pod_is_meant_to_go_whatever_its_phase() -> None:
    terminating = pod()
    terminating["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    decoded = decode_pod(pod_view(terminating))
    assert (decoded.phase, decoded.desired) == (Phase.RUNNING, Phase.DELETE)


def test_failed_pods_stay_listed_and_completed_ones_do_not() -> None:
    phases = ["Running", "Failed", "Succeeded"]
    listed = pod_list([pod(phase=phase) for phase in phases])
    assert [entry["CurrentStatus"] for entry in listed] == [1, 7]


WORKLOAD = {
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "template": {
            "spec": {
                "initContainers": [{"name": "migrate", "image": "app:m"}],
                "containers": [
                    {"name": "log", "image": "app:l"},
                    {"name": "web", "image": "app:2"},
                ],
            }
        },
    },
    "status": {"replicas": 4, "desiredNumberScheduled": 2, "currentNumberScheduled": 1},
}


@pytest.mark.parametrize(
    ("kind", "active", "count"),
    [
        ("Deployment", "wanted", 3),
        ("Deployment", "existing", 4),
        ("Deployment", "absent", None),
        ("DaemonSet", "wanted", 2),
        ("DaemonSet", "existing", 1),
    ],
)
def test_the_active_count_is_what_the_variant_counts(
    kind: str, active: Any, count: int | None
) -> None:
    service = decode_service(service_view(WORKLOAD, kind, Variant(active=active)))
    assert service.replicas_active == count


def test_a_service_shows_its_main_container_apart_from_all_others() -> None:
    service = decode_service(service_view(WORKLOAD, "Deployment"))
    assert (service.name, service.image, service.replicas) == ("web", "app:2", 3)
    assert service.other_images == {"log": "app:l", "migrate": "app:m"}
    assert not service.faults_by_service


def event(kind: str, **changes: Any) -> dict[str, Any]:
    subject = {"kind": "Pod", "name": "web-abc-x1"}
    return {"type": kind, "involvedObject": subject, "message": "Back-off", **changes}


def test_a_warning_becomes_a_fault_of_its_pod() -> None:
    (fault,) = decode_faults(fault_list([event("Normal"), event("Warning")], ["web"]))
    assert fault.resources == {"web-abc-x1"}
    assert fault.text == "Back-off"


def test_a_fault_on_azure_is_filed_under_the_service() -> None:
    faults = fault_list([event("Warning")], ["we", "web", "web-abc-x"], VARIANTS["azure"])
    (fault,) = decode_faults(faults)
    assert fault.resources == {"web"}
    assert decode_service(service_view(WORKLOAD, "Deployment", VARIANTS["azure"])).faults_by_service


def test_muted_faults_are_not_listed() -> None:
    assert fault_list([event("Warning")], ["web"], VARIANTS["bare"]) == []
