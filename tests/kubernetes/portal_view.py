"""Kubernetes objects as the portal shows them: the one mapping that all tests share.

The objects have the shape of the Kubernetes API (`metadata`, `spec`, `status`; lower camel), from
a live cluster or from a recording. The results have the shape of the portal's API: elements of
`GetPods`, `GetReplicationControllers` and `GetFaultsByTenant`.

What the portal's public clients and documents agree on is fixed here. What they leave open is a
field of `Variant`, so that a test can run under every answer. Confidence, as in the contract of
the portal's API: [A] several sources agree, [B] one source, [C] inferred.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

K8s = Mapping[str, Any]
"""An object of the Kubernetes API."""

Json = dict[str, Any]
"""An object of the portal's API."""

TENANT_ID = "7c1d3f9a-5a0b-4c52-9a6e-2f6f0f1b9d11"
ACCOUNT = "dev01"

# The portal's codes for the state of a pod: [A] for 1, 3, 4 and 7, [B] for the rest.
UNKNOWN, RUNNING, PENDING, WAITING, DELETE, FAILED = 0, 1, 3, 4, 5, 7
SCHEDULING_FAILED, IMAGE_NOT_FOUND, EVICTED, SUCCEEDED = 8, 9, 10, 11

_BY_PHASE = {"Pending": PENDING, "Running": RUNNING, "Succeeded": SUCCEEDED, "Failed": FAILED}
_BY_REASON = {
    "CrashLoopBackOff": WAITING,  # [C]: "container waiting, e.g. pull or crash back-off"
    "ErrImagePull": IMAGE_NOT_FOUND,  # [B]: "image cannot be pulled"
    "ImagePullBackOff": IMAGE_NOT_FOUND,
    "ErrImageNeverPull": IMAGE_NOT_FOUND,
    "InvalidImageName": IMAGE_NOT_FOUND,
    "CreateContainerConfigError": WAITING,
    "CreateContainerError": WAITING,
    "RunContainerError": WAITING,
}

KUBERNETES_LINUX = 7
AWS, AZURE = 0, 2
ERROR = 2
"""The severity of a fault; which one a warning of Kubernetes gets is unknown."""


@dataclass(frozen=True)
class Variant:
    """One answer to every open question about the portal; the defaults are the likeliest.

    `ready_is_running`: whether status 1 means ready. By default it means the phase Running, and
    a crash-looping pod is running between crashes: no source claims more [C].

    `reasons_in_status`: whether waiting reasons show in the status (4, 8, 9), or its phase alone
    decides. The codes exist [B]; when the portal uses them is inferred [C].

    `states`: what the containers show. `current`: `RestartCount`, and the present state as
    `LastContainerState`; `last`: the state before the last restart, as that name means in
    Kubernetes; `none`: neither. One description of the API has both fields [B], the other none.

    `active`: what `ReplicasActive` counts: the `wanted` pods, the `existing` ones, or it is
    `absent`, as on old portals [C].

    `image`: what a pod shows as its image: its `status`, which holds the kubelet's own name for
    it (another tag, or an id, for the same content), or its `spec`. Images in pods "may be in
    canonical form" [A], which hints at the status.

    `controllers`: whether pods name what created them; null on Azure [A].

    `names`: whether pods name their service; one client had to do without [A].

    `faults`: `pod`, filed under a pod [A]; `service`, filed under the service, as on Azure [B];
    `none`, muted by a setting of the tenant [A].
    """

    ready_is_running: bool = False
    reasons_in_status: bool = True
    states: Literal["current", "last", "none"] = "current"
    active: Literal["wanted", "existing", "absent"] = "wanted"
    image: Literal["status", "spec"] = "status"
    controllers: bool = True
    names: bool = True
    faults: Literal["pod", "service", "none"] = "pod"


DEFAULT = Variant()

VARIANTS: Mapping[str, Variant] = {
    "likeliest": DEFAULT,
    "running-means-ready": Variant(ready_is_running=True),
    "existing-count": Variant(active="existing"),
    "last-states": Variant(states="last"),
    "spec-images": Variant(image="spec"),
    "nameless": Variant(names=False),
    "older": Variant(states="none", active="absent"),
    "phases-alone": Variant(states="none", reasons_in_status=False),
    "azure": Variant(controllers=False, faults="service"),
    "bare": Variant(states="none", reasons_in_status=False, active="absent", faults="none"),
    "least": Variant(
        states="none",
        reasons_in_status=False,
        active="absent",
        controllers=False,
        faults="none",
    ),
}
"""Each open question answered the other way, and portals that show as little as is thinkable."""


def pod_list(pods: Iterable[K8s], variant: Variant = DEFAULT) -> list[Json]:
    """Return `GetPods`: failed and evicted pods stay listed, completed ones do not [A]."""
    return [pod_view(pod, variant) for pod in pods if is_listed(pod)]


def is_listed(pod: K8s) -> bool:
    """Return whether `GetPods` lists a pod; it drops the completed ones [A]."""
    return _status(pod).get("phase") != "Succeeded"


def pod_view(pod: K8s, variant: Variant = DEFAULT) -> Json:
    """Return one element of `GetPods`."""
    metadata, spec, status = pod["metadata"], pod["spec"], _status(pod)
    return {
        "Name": service_of(pod) if variant.names else None,
        "InstanceId": metadata["name"],
        "TenantId": TENANT_ID,
        "CurrentStatus": _current_status(pod, variant),
        # 5 is "a pod on its way out, whatever its current status" [A].
        "DesiredStatus": DELETE if metadata.get("deletionTimestamp") else RUNNING,
        "Host": spec.get("nodeName") or "",
        "ControlledBy": _controlled_by(pod) if variant.controllers else None,
        "Containers": _containers(pod, "containers", "containerStatuses", variant),
        "InitContainers": _containers(pod, "initContainers", "initContainerStatuses", variant),
        "Interfaces": [{"NetworkId": "default", "IpAddress": status.get("podIP")}],
        "AgentPlatform": KUBERNETES_LINUX,
        "Cloud": _cloud(variant),
        "AllocationTags": "",
        "StartTime": status.get("startTime"),
    }


def service_view(workload: K8s, kind: str, variant: Variant = DEFAULT) -> Json:
    """Return a Deployment, StatefulSet or DaemonSet as an element of `GetReplicationControllers`.

    Kubernetes does not know when and by whom the portal was used last, nor the history of
    images: a caller that keeps them adds `LastDeployedAt`, `LastDeployedBy`,
    `ContainerImageHistory` and `Template.RestartTime`.
    """
    name, spec = workload["metadata"]["name"], workload["spec"]
    service: Json = {
        "Name": name,
        "TenantId": TENANT_ID,
        # The configured count; a daemon set has none, and what the portal keeps for it is ignored.
        "Replicas": spec.get("replicas", 1),
        "ReplicasMatchingAsgName": "",
        "IsDaemonset": kind == "DaemonSet",
        "ForceStatefulSet": kind == "StatefulSet",
        "Template": _template(name, spec["template"]["spec"], variant),
    }
    if variant.active != "absent":
        service["ReplicasActive"] = _active(workload, kind, variant)
    return service


def fault_list(
    events: Iterable[K8s], services: Collection[str], variant: Variant = DEFAULT
) -> list[Json]:
    """Return `GetFaultsByTenant`: one fault for each warning; faults outlive their cause [A].

    `services` are the names of the tenant's services.
    """
    if variant.faults == "none":
        return []
    warnings = (event for event in events if event.get("type") == "Warning")
    return [fault_view(event, services, variant) for event in warnings]


def fault_view(event: K8s, services: Collection[str], variant: Variant = DEFAULT) -> Json:
    """Return a warning as an element of `GetFaultsByTenant`.

    Only faults of pods are known from clients. Those of a ReplicaSet, which come from a quota,
    are taken to be filed under its own name [C].
    """
    subject = event["involvedObject"]
    fault: Json = {
        "TenantId": TENANT_ID,
        "AccountName": ACCOUNT,
        "Description": event.get("message") or "",
        "LastSeen": event.get("lastTimestamp") or event.get("eventTime"),
        "Severity": ERROR,
    }
    if variant.faults == "service":
        return {**fault, "ResourceName": _service_of_name(subject["name"], services)}
    name, kind = subject["name"], subject["kind"]
    group = "v1" if kind == "Pod" else "apps/v1"
    resource = {"QualifiedType": f"kubernetes:{group}/{kind}", "NativeId": name, "Name": name}
    return {**fault, "Resource": resource}


def service_of(pod: K8s) -> str:
    """Return the service or job a pod belongs to: the portal labels pods with its name [A]."""
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("job-name") or labels.get("app") or "")


def _current_status(pod: K8s, variant: Variant) -> int:
    status = _status(pod)
    phase = _BY_PHASE.get(status.get("phase", ""), UNKNOWN)
    if status.get("reason") == "Evicted":
        return EVICTED
    if phase not in (PENDING, RUNNING):
        return phase
    if variant.reasons_in_status and (code := _by_reason(status)) is not None:
        return code
    is_unready = phase == RUNNING and not is_ready(pod)
    return PENDING if variant.ready_is_running and is_unready else phase


def _by_reason(status: K8s) -> int | None:
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return SCHEDULING_FAILED
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if (code := _BY_REASON.get(waiting.get("reason", ""))) is not None:
                return code
    return None


def is_ready(pod: K8s) -> bool:
    """Return whether Kubernetes calls a pod ready."""
    return bool(_condition(_status(pod), "Ready").get("status") == "True")


def _condition(status: K8s, kind: str) -> K8s:
    found = (entry for entry in status.get("conditions") or () if entry["type"] == kind)
    return next(found, {})


def _controlled_by(pod: K8s) -> Json | None:
    # apps/v1/ReplicaSet and batch/v1/Job are [A], StatefulSet and DaemonSet by analogy [C].
    owner = next(iter(pod["metadata"].get("ownerReferences") or ()), None)
    if owner is None:
        return None
    group = "batch/v1" if owner["kind"] == "Job" else "apps/v1"
    return {"QualifiedType": f"kubernetes:{group}/{owner['kind']}", "NativeId": owner["name"]}


def _containers(pod: K8s, key: str, status_key: str, variant: Variant) -> list[Json]:
    statuses = {entry["name"]: entry for entry in _status(pod).get(status_key) or ()}
    return [
        _container(pod["metadata"]["name"], entry, statuses.get(entry["name"], {}), variant)
        for entry in pod["spec"].get(key) or ()
    ]


def _container(pod: str, container: K8s, status: K8s, variant: Variant) -> Json:
    shown = status.get("image") if variant.image == "status" else ""
    view: Json = {
        "Name": container["name"],
        # Before the kubelet has looked at a pod there is no status.
        "Image": shown or container["image"],
        "DockerId": (status.get("containerID") or "").rpartition("//")[2],
        "InstanceId": pod,
    }
    if variant.states == "none" or not status:
        return view
    state = status.get("state" if variant.states == "current" else "lastState") or {}
    return {**view, "RestartCount": status.get("restartCount", 0), "LastContainerState": state}


def _template(name: str, pod: K8s, variant: Variant) -> Json:
    """Return the template: the main container apart, all others in `OtherDockerConfig` [A]."""
    containers = pod["containers"]
    main = next((entry for entry in containers if entry["name"] == name), containers[0])
    others = {
        "additionalContainers": [entry for entry in containers if entry is not main],
        "initContainers": [*(pod.get("initContainers") or ())],
    }
    config = {
        key: [{"name": entry["name"], "image": entry["image"]} for entry in entries]
        for key, entries in others.items()
        if entries
    }
    return {
        "Name": name,
        "AgentPlatform": KUBERNETES_LINUX,
        "Cloud": _cloud(variant),
        "AllocationTags": "",
        "Containers": [{"Name": name, "Image": main["image"]}],
        "OtherDockerConfig": json.dumps(config) if config else "",
    }


def _active(workload: K8s, kind: str, variant: Variant) -> int:
    status = _status(workload)
    if kind == "DaemonSet":
        counted = "desired" if variant.active == "wanted" else "current"
        return int(status.get(f"{counted}NumberScheduled", 0))
    if variant.active == "wanted":
        return int(workload["spec"].get("replicas", 1))
    # Kubernetes leaves out pods that are terminating or have failed, and counts surge pods.
    return int(status.get("replicas", 0))


def _cloud(variant: Variant) -> int:
    return AZURE if variant.faults == "service" else AWS


def _service_of_name(name: str, services: Collection[str]) -> str:
    """Return the service whose pod, ReplicaSet or own object has this name, else the name."""
    owners = [one for one in services if name == one or name.startswith(f"{one}-")]
    return max(owners, key=len, default=name)


def _status(entry: K8s) -> K8s:
    status: K8s = entry.get("status") or {}
    return status
