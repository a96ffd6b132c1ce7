"""The job that runs a command as a service's pods would.

Services keep their pods' settings in texts that people typed, with keys in any letter case, which
the portal accepts. A job is sent to Kubernetes as it is, so every key gets Kubernetes' spelling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipe.http.json_body import loads
from pipe.portal import docker_config
from pipe.portal import environment as env
from pipe.portal.fields import items, nested, text
from pipe.portal.job_body import (
    JobBody,
    JobRequest,
    environment,
    once,
    placed,
    with_names,
    without_sidecars,
)
from pipe.portal.job_spelling import canonical
from pipe.portal.service_body import Service

_CLAIM = "persistentVolumeClaim"
_OF_CONTAINER = {
    "resources": "resources",
    "imagepullpolicy": "imagePullPolicy",
    "securitycontext": "securityContext",
    "envfrom": "envFrom",
    "workingdir": "workingDir",
}
_OF_POD = {
    "podsecuritycontext": "securityContext",
    "serviceaccountname": "serviceAccountName",
    "automountserviceaccounttoken": "automountServiceAccountToken",
    "imagepullsecrets": "imagePullSecrets",
    "nodeselector": "nodeSelector",
    "tolerations": "tolerations",
    "affinity": "affinity",
    "hostnetwork": "hostNetwork",
    "dnspolicy": "dnsPolicy",
    "dnsconfig": "dnsConfig",
    "hostaliases": "hostAliases",
    "priorityclassname": "priorityClassName",
    "runtimeclassname": "runtimeClassName",
}
_ANNOTATIONS = ("podannotations", "annotations")
_LABELS = ("podlabels", "labels")
_MOUNTS = ("volumesmounts", "volumemounts")
_ELSEWHERE = frozenset(
    ("env", "volumes", "command", "args", *_MOUNTS, *_ANNOTATIONS, *_LABELS),
)
_IDENTITY = "azure.workload.identity/use"
"""The one label without which a pod lacks its permissions in the cloud."""
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def of_service(service: Service, request: JobRequest) -> JobBody:
    """Return a job with the environment, mounts and placement of a service's pods.

    Raises `ValueError` with the reason when the service's settings cannot be read.
    """
    config = docker_config.parse(service.docker_config)
    mounts, volumes, claims = _mounts(service, config)
    container = {
        **_settings(config, _OF_CONTAINER),
        "name": request.container,
        "image": request.image,
        "command": list(request.command),
        "env": environment(env.entries_of(config, env.key_of(config, "env")), request),
        "volumeMounts": mounts,
    }
    pod = {
        **_settings(config, _OF_POD),
        "restartPolicy": "Never",
        "containers": [_without_empty(container)],
        "volumes": volumes,
    }
    if service.allocation_tags:
        # Portals from before 2025 ignore the field of that name.
        selector = nested(pod, "nodeSelector")
        pod["nodeSelector"] = {"allocationtags": service.allocation_tags, **selector}
    template = {"metadata": _metadata(config), "spec": _without_empty(pod)}
    # Most claims are attached to one node, where the service's pod holds them.
    left_out = [*_left_out(config), *(f"volume {name} (persistent)" for name in claims)]
    return placed(
        once(request, template, left_out),
        is_any_host_allowed=service.flags.get("IsAnyHostAllowed", False),
        allocation_tags=service.allocation_tags,
    )


def _settings(config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings in `names`, which gives Kubernetes' names by those in lower case."""
    return {
        name: canonical(value, name)
        for key, value in config.items()
        if (name := names.get(key.casefold())) and value not in _EMPTY
    }


def _metadata(config: Mapping[str, Any]) -> dict[str, Any]:
    labels = {"sidecar.istio.io/inject": "false"}
    if isinstance(value := _entries(config, _LABELS).get(_IDENTITY), str):
        labels[_IDENTITY] = value
    return {"labels": labels, "annotations": without_sidecars(_entries(config, _ANNOTATIONS))}


def _left_out(config: Mapping[str, Any]) -> list[str]:
    """Return what a job does not take over, by the names that the service has for it."""
    known = _ELSEWHERE | _OF_CONTAINER.keys() | _OF_POD.keys()
    left_out = [
        with_names(key, value)
        for key, value in config.items()
        if key.casefold() not in known and value not in _EMPTY
    ]
    # A load balancer would send requests to a pod with the labels that it selects.
    labels = [str(name) for name in _entries(config, _LABELS) if name != _IDENTITY]
    return [*left_out, f"labels ({', '.join(labels)})"] if labels else left_out


def _mounts(
    service: Service, config: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Return mounts, volumes, and the names of the volumes that a job cannot share."""
    volumes: dict[str, dict[str, Any]] = {}
    mounts = [canonical(mount) for mount in _objects(config, _MOUNTS)]
    for volume in map(canonical, _objects(config, ("volumes",))):
        source = nested(volume, "spec") or volume
        empty = {} if source.keys() - {"name"} else {"emptyDir": dict[str, Any]()}
        volumes[text(volume, "name")] = {**source, **empty, "name": text(volume, "name")}
    for volume in map(canonical, _separate(service)):
        name, path = text(volume, "name"), text(volume, "path")
        # Without a source it is a disk of its own, with a size.
        volumes[name] = {**(nested(volume, "spec") or {_CLAIM: {}}), "name": name}
        mounts += [{"name": name, "mountPath": path}] if path else []
    claims = [name for name, volume in volumes.items() if _CLAIM in volume]
    kept = {name: volume for name, volume in volumes.items() if name and name not in claims}
    return [mount for mount in mounts if text(mount, "name") in kept], [*kept.values()], claims


def _separate(service: Service) -> Iterator[dict[str, Any]]:
    """Return the volumes of the service's other text, which has a form of its own."""
    try:
        return items(loads(service.volumes or "[]"))
    except ValueError:
        raise ValueError("its Volumes are not valid JSON") from None


def _objects(config: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Return the objects of every list under one of some keys in any letter case."""
    for key, value in config.items():
        if key.casefold() in names:
            yield from items(value)


def _entries(config: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the entries of every object under one of some keys in any letter case."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key.casefold() in names and isinstance(value, dict):
            found |= value
    return found


def _without_empty(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if value not in _EMPTY}
