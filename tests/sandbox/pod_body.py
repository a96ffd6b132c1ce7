"""A pod as Kubernetes describes it, and as the portal shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.kubernetes.portal_view import (
    DELETE,
    KUBERNETES_LINUX,
    PENDING,
    RUNNING,
    Variant,
    pod_view,
)
from tests.sandbox.behaviour import State
from tests.sandbox.stamp import guid, second, stamp

if TYPE_CHECKING:
    from tests.sandbox.pods import Pod

_COMPLETED: State = {"terminated": {"exitCode": 0, "reason": "Completed"}}
_KILLED: State = {"terminated": {"exitCode": 137, "reason": "Error"}}
_INITIALISING: State = {"waiting": {"reason": "PodInitializing"}}


def pod_object(pod: Pod) -> dict[str, Any]:
    """Return the pod as the Kubernetes API describes it."""
    step, template = pod.step, pod.template
    owner = pod.controller or {}
    kind = owner.get("QualifiedType", "").rpartition("/")[2]
    label = "job-name" if kind == "Job" else "app"
    status: dict[str, Any] = {
        "phase": step.phase,
        "startTime": stamp(pod.world.date_of(pod.born)),
        "podIP": f"10.20.1.{pod.index % 250 + 2}" if step.scheduled else None,
    }
    if pod.failed and step.reason:
        status |= {"reason": step.reason, "message": step.message}
    else:
        status["conditions"] = _conditions(pod)
    if step.state:
        status["containerStatuses"] = _statuses(pod, template.containers)
        status["initContainerStatuses"] = _statuses(pod, template.inits)
    return {
        "metadata": {
            "name": pod.name,
            "labels": {label: template.name},
            "ownerReferences": [{"kind": kind, "name": owner["NativeId"]}] if owner else [],
            "deletionTimestamp": second(pod.world.date_of(pod.left_at)) if pod.leaving else None,
        },
        "spec": {
            "nodeName": pod.host,
            "containers": _specified(template.containers),
            "initContainers": _specified(template.inits),
        },
        "status": status,
    }


def pod_body(pod: Pod) -> dict[str, Any]:
    """Return the pod as the portal lists it."""
    template = pod.template
    body = pod_view(pod_object(pod), _variant(pod))
    own: dict[str, Any] = {"TenantId": pod.tenant_id, "State": None}
    if pod.awaiting and not pod.leaving:
        body |= {"CurrentStatus": PENDING, "DesiredStatus": DELETE}
    return {
        **body,
        **own,
        "CurrentNetworkStatus": RUNNING if pod.step.started else PENDING,
        "ReplicaId": pod.ordinal,
        "Containers": [one | own for one in body["Containers"]],
        "InitContainers": [one | own for one in body["InitContainers"]],
        "Interfaces": [one | {"ExternalAddress": None} for one in body["Interfaces"]],
        "AgentPlatform": template.platform,
        "Cloud": template.cloud,
        "IsLbRegistered": pod.ready,
        "IsAwaitingLBDeregistration": pod.leaving,
        "IsReadOnly": False,
        "Version": guid(f"{pod.tenant_id}/{pod.generation}"),
        "BaseVersion": None,
        "LbConfigsVersion": None,
        "AllocationTags": template.allocation_tags,
        "OtherDockerConfig": template.other_docker_config,
        "OtherDockerHostConfig": "",
        "ExtraConfig": "",
        "Volumes": "",
        "Commands": [],
        "DeviceIds": [],
        "LBConfigurations": {},
        "LBCCount": 0,
        "ImageUpdateTime": None,
        "RestartTime": None,
    }


def _variant(pod: Pod) -> Variant:
    world = pod.world
    # Native docker hosts know no readiness apart from what the portal finds out itself.
    is_native = pod.template.platform != KUBERNETES_LINUX
    return replace(
        world.variant,
        states=world.variant.states if world.pod_details else "none",
        names=world.variant.names and world.named_pods,
        ready_is_running=world.variant.ready_is_running or is_native,
    )


def _conditions(pod: Pod) -> list[dict[str, str]]:
    ready = {"type": "Ready", "status": "True" if pod.shown_ready else "False"}
    if pod.step.scheduled:
        return [{"type": "PodScheduled", "status": "True"}, ready]
    if not pod.step.reason:
        return []
    scheduled = {"type": "PodScheduled", "status": "False"}
    return [{**scheduled, "reason": pod.step.reason, "message": pod.step.message}, ready]


def _specified(containers: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "image": image} for name, image in containers]


def _statuses(pod: Pod, containers: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    return [_status(pod, name, image) for name, image in containers]


def _status(pod: Pod, name: str, image: str) -> dict[str, Any]:
    is_decisive = name == pod.decisive
    state = _state(pod, name)
    has_run = "waiting" not in state or (is_decisive and pod.step.started)
    # The kubelet learns its own name of an image from the container that runs it.
    shown = pod.world.shown_image(image, pod.index) if has_run else image
    return {
        "name": name,
        "image": shown,
        "ready": "running" in state and (pod.step.ready or not is_decisive),
        "restartCount": pod.step.restarts if is_decisive else 0,
        "containerID": f"containerd://{pod.container_id(name)}" if has_run else "",
        "state": state,
        "lastState": pod.step.last if is_decisive else {},
    }


def _state(pod: Pod, name: str) -> State:
    inits = [init for init, _ in pod.template.inits]
    is_init = name in inits
    step = pod.step
    state: State = {"running": {}}
    if step.beginning:
        state = _INITIALISING if inits else step.state
    elif pod.decisive in inits and step.phase == "Pending":
        state = step.state if name == pod.decisive else _INITIALISING
        if is_init and inits.index(name) < inits.index(pod.decisive):
            state = _COMPLETED
    elif is_init:
        state = _COMPLETED
    elif name == pod.decisive:
        state = step.state
    if pod.stopped and "running" in state:
        return _COMPLETED if pod.behaviour.stop_seconds is None else _KILLED
    return state
