"""The objects that the API server lists, in the shape of the Kubernetes API."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from tests.sandbox.kubernetes.names import namespace_of, pod_uid, uid_of
from tests.sandbox.pod_body import pod_object
from tests.sandbox.stamp import guid, second

if TYPE_CHECKING:
    from tests.sandbox.access import Tenant
    from tests.sandbox.pods import Pod, Template
    from tests.sandbox.service import Service

Json = dict[str, Any]

KINDS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
}
"""Kinds by the name of their collection."""

_UNREADY = "containers with unready status: [{}]"
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def kind_of(service: Service) -> str:
    """Return the kind of a service's workload."""
    if service.daemonset:
        return "DaemonSet"
    return "StatefulSet" if service.statefulset else "Deployment"


def workloads(service: Service, kind: str) -> list[Json]:
    """Return the service's objects of a kind; native docker hosts have none."""
    if service.native:
        return []
    if kind == "ReplicaSet" and kind_of(service) == "Deployment":
        return [_replica_set(service, name) for name in service.shares]
    return [workload_object(service)] if kind == kind_of(service) else []


def workload_object(service: Service) -> Json:
    """Return the Deployment, StatefulSet or DaemonSet of a service."""
    kind, workload = kind_of(service), service.workload
    spec: Json = {
        "selector": {"matchLabels": {"app": service.name}},
        "template": _template(service.name, service.template()),
    }
    if service.restart_time:
        spec["template"]["metadata"]["annotations"] = {_RESTARTED_AT: service.restart_time}
    if kind == "DaemonSet":
        spec["updateStrategy"] = {"type": "RollingUpdate"}
    else:
        spec["replicas"] = service.wanted
    if kind == "StatefulSet":
        spec |= {"serviceName": service.name, "updateStrategy": {"type": "RollingUpdate"}}
    if kind == "Deployment":
        strategy = service.strategy
        surge = {"maxSurge": strategy.max_surge, "maxUnavailable": strategy.max_unavailable}
        rolling = {"type": "RollingUpdate", "rollingUpdate": surge}
        spec["strategy"] = {"type": "Recreate"} if strategy.recreate else rolling
        spec["progressDeadlineSeconds"] = int(service.world.kubernetes.progress_deadline)
        if service.paused:
            spec["paused"] = True
    metadata = _metadata(service, kind, service.name) | {"generation": workload.generation}
    return _versioned(
        {"metadata": metadata, "spec": spec, "status": dict(workload.status(service))}
    )


def pod_of(service: Service, pod: Pod) -> Json:
    """Return a service's pod."""
    kind = kind_of(service)
    owner = ("ReplicaSet", pod.generation) if kind == "Deployment" else (kind, service.name)
    body = pod_in_full(pod, service.tenant)
    metadata = body["metadata"]
    metadata["labels"] = _labels(service)
    if kind == "Deployment":
        metadata["labels"]["pod-template-hash"] = pod.generation.rpartition("-")[2]
    metadata["ownerReferences"] = [_owner(service.tenant, *owner)]
    return _versioned(body)


def pod_in_full(pod: Pod, tenant: Tenant) -> Json:
    """Return a pod with what only Kubernetes itself shows of it."""
    body, world = pod_object(pod), pod.world
    metadata, status = body["metadata"], body["status"]
    metadata |= {
        "namespace": namespace_of(tenant.name),
        "uid": pod_uid(pod),
        "creationTimestamp": second(world.date_of(pod.born)),
    }
    if not metadata["deletionTimestamp"]:
        del metadata["deletionTimestamp"]
    spec = body["spec"]
    body["spec"] = {key: value for key, value in spec.items() if value}
    status["startTime"] = second(world.date_of(pod.born))
    body["status"] = {key: value for key, value in status.items() if value}
    if "conditions" in status:
        body["status"]["conditions"] = _conditions(pod, status)
    for key in ("containerStatuses", "initContainerStatuses"):
        for entry in body["status"].get(key) or ():
            _complete(pod, entry)
    return body


def _conditions(pod: Pod, status: Json) -> list[Json]:
    """Return the conditions of a pod, with those that the portal does not look at."""
    unready = [one["name"] for one in status.get("containerStatuses") or () if not one["ready"]]
    since = {"lastTransitionTime": second(pod.world.date_of(pod.ready_since or pod.born))}
    shown = {one["type"]: one for one in status["conditions"]}
    if not status.get("containerStatuses"):
        return [shown[name] | since for name in ("PodScheduled",) if name in shown]
    ready = dict(shown["Ready"])
    if ready["status"] == "False":
        message = _UNREADY.format(" ".join(unready))
        ready |= {"reason": "ContainersNotReady", "message": message}
    is_initialised = not any(
        "terminated" not in one["state"] for one in status.get("initContainerStatuses") or ()
    )
    every = [
        {"type": "Initialized", "status": str(is_initialised)},
        ready,
        {**ready, "type": "ContainersReady"},
        shown["PodScheduled"],
    ]
    return [one | since for one in every]


def _complete(pod: Pod, entry: Json) -> None:
    """Add to the status of a container what the portal does not show."""
    world = pod.world
    since = second(world.date_of(pod.born + pod.step.after))
    entry["started"] = "running" in entry["state"]
    entry["imageID"] = ""
    if entry["containerID"]:
        entry["imageID"] = f"docker.io/library/image@sha256:{guid(entry['image']).replace('-', '')}"
        entry["imageID"] += "0" * 32
    entry["state"] = {kind: _timed(kind, detail, since) for kind, detail in entry["state"].items()}
    last = entry["lastState"]
    entry["lastState"] = {kind: _timed(kind, detail, since) for kind, detail in last.items()}


def _timed(kind: str, detail: Json, since: str) -> Json:
    if kind == "running":
        return detail | {"startedAt": since}
    return detail | {"startedAt": since, "finishedAt": since} if kind == "terminated" else detail


def _replica_set(service: Service, name: str) -> Json:
    pods = [pod for pod in service.members if pod.generation == name]
    counted = [pod for pod in pods if not pod.leaving and not pod.failed]
    ready = sum(pod.ready for pod in counted)
    counts = {
        "fullyLabeledReplicas": len(counted),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    revision = len(service.generations) - service.generations[::-1].index(name)
    digest = name.rpartition("-")[2]
    metadata = _metadata(service, "ReplicaSet", name)
    metadata["labels"]["pod-template-hash"] = digest
    metadata["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
    metadata["ownerReferences"] = [_owner(service.tenant, "Deployment", service.name)]
    return _versioned(
        {
            "metadata": metadata | {"generation": 1},
            "spec": {
                "replicas": service.shares[name],
                "selector": {"matchLabels": {"app": service.name, "pod-template-hash": digest}},
                "template": _template(service.name, service.templates[name]),
            },
            "status": {"replicas": len(counted), "observedGeneration": 1}
            | {key: count for key, count in counts.items() if count},
        }
    )


def _metadata(service: Service, kind: str, name: str) -> Json:
    namespace = namespace_of(service.tenant.name)
    return {
        "name": name,
        "namespace": namespace,
        "uid": uid_of(namespace, kind, name),
        "creationTimestamp": "2025-11-20T08:00:00Z",
        "labels": _labels(service),
    }


def _labels(service: Service) -> dict[str, str]:
    return {
        "app": service.name,
        "owner": "duploservices",
        "tenantid": service.tenant.id,
        "tenantname": namespace_of(service.tenant.name),
    }


def _owner(tenant: Tenant, kind: str, name: str) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": uid_of(namespace_of(tenant.name), kind, name),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _template(name: str, template: Template) -> Json:
    sections = {"containers": template.containers, "initContainers": template.inits}
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {
            section: [{"name": container, "image": image} for container, image in entries]
            for section, entries in sections.items()
            if entries
        },
    }


def _versioned(body: Json) -> Json:
    """Return an object with a resource version: equal if and only if the object is."""
    digest = zlib.crc32(json.dumps(body, sort_keys=True).encode())
    body["metadata"]["resourceVersion"] = str(digest)
    return body
