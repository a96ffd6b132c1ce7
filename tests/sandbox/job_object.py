"""A job as an object: what Kubernetes refuses in it, and what the portal and Kubernetes add."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.access import Tenant

Json = dict[str, Any]

ANY_HOST = "duplocloud.net/is-any-host-allowed"

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_IMMUTABLE = ("template", "selector", "completions")


def problems(document: Json) -> list[str]:
    """Return what the API server refuses although the object has the right shape."""
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return ["metadata and spec are required"]
    template = spec.get("template") or {}
    pod = template.get("spec") or {}
    return [
        *_name_problems("metadata.name", str(metadata.get("name") or "")),
        *_label_problems(metadata),
        *_label_problems(template.get("metadata") or {}),
        *(["spec.selector: field is generated"] if "selector" in spec else []),
        *_pod_problems(pod),
    ]


def _pod_problems(pod: Json) -> Iterator[str]:
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        yield f"spec.template.spec.restartPolicy: {pod.get('restartPolicy')} is not supported"
    if not pod.get("containers"):
        yield "spec.template.spec.containers: Required value"
    containers = [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]
    volumes = [str(one.get("name") or "") for one in pod.get("volumes") or ()]
    for name in [*volumes, *(str(one.get("name") or "") for one in containers)]:
        yield from _name_problems("name", name)
    yield from _repeated("spec.template.spec.containers", (one.get("name") for one in containers))
    yield from _repeated("spec.template.spec.volumes", volumes)
    for container in containers:
        yield from _container_problems(container, volumes)


def _container_problems(container: Json, volumes: list[str]) -> Iterator[str]:
    if not container.get("image"):
        yield "image: Required value"
    for variable in container.get("env") or ():
        if not _VARIABLE.fullmatch(str(variable.get("name") or "")):
            yield f"env.name: Invalid value: {variable.get('name')!r}"
        if variable.get("value") and variable.get("valueFrom"):
            yield f"env.valueFrom: {variable.get('name')} has a value already"
    mounts = container.get("volumeMounts") or ()
    yield from _repeated("volumeMounts.mountPath", (one.get("mountPath") for one in mounts))
    for mount in mounts:
        if mount.get("name") not in volumes:
            yield f"volumeMounts.name: Not found: {mount.get('name')!r}"


def _name_problems(where: str, name: str) -> Iterator[str]:
    if not _LABEL.fullmatch(name):
        yield f"{where}: Invalid value: {name!r}: must be a DNS label of at most 63 characters"


def _label_problems(metadata: Json) -> Iterator[str]:
    for key, value in (metadata.get("labels") or {}).items():
        if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            yield f"labels.{key}: Invalid value: {value!r}"


def _repeated(where: str, names: Iterable[object]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{where}: Duplicate value: {name!r}"


def changed_template(before: Json, after: Json) -> bool:
    """Return whether a change touches what is fixed once a job exists.

    What Kubernetes and the portal added may be left out again.
    """
    old, new = before["spec"], after["spec"]
    return any(key in new and not _is_part(new[key], old.get(key)) for key in _IMMUTABLE)


def _is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list) and len(part) == len(whole):
        return all(_is_part(one, other) for one, other in zip(part, whole, strict=True))
    return bool(part == whole)


def completed(given: Json, tenant: Tenant, uid: str, created: str) -> Json:
    """Return the object as it is stored: with the portal's labels and Kubernetes' defaults."""
    document = copy.deepcopy(given)
    any_host = document.pop("IsAnyHostAllowed", False) is True
    namespace = f"duploservices-{tenant.name}"
    _complete_metadata(document["metadata"], namespace, tenant, uid, created, any_host=any_host)
    spec = document["spec"]
    for key, value in (("parallelism", 1), ("completions", 1), ("backoffLimit", 6)):
        spec.setdefault(key, value)
    spec["selector"] = {"matchLabels": {"controller-uid": uid}}
    template = spec["template"]
    template["metadata"] = {**(template.get("metadata") or {})}
    name = document["metadata"]["name"]
    template["metadata"]["labels"] = {
        **(template["metadata"].get("labels") or {}),
        "app": name,
        "owner": name,
        "tenantid": tenant.id,
        "tenantname": namespace,
        "controller-uid": uid,
        "job-name": name,
    }
    _complete_pod(template["spec"], namespace, str(document.get("AllocationTags") or ""))
    return document


def _complete_metadata(
    metadata: Json, namespace: str, tenant: Tenant, uid: str, created: str, *, any_host: bool
) -> None:
    metadata |= {"namespace": namespace, "uid": uid, "creationTimestamp": created}
    metadata["labels"] = {
        **(metadata.get("labels") or {}),
        "duplocloud.net/owner": str(metadata["name"]),
        "duplocloud.net/tenantid": tenant.id,
        "duplocloud.net/tenantname": namespace,
    }
    if any_host:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANY_HOST: "true"}


def _complete_pod(pod: Json, namespace: str, allocation_tags: str) -> None:
    tags = {"allocationtags": allocation_tags} if allocation_tags else {}
    own = {"kubernetes.io/os": "linux", "tenantname": namespace, **tags}
    pod["nodeSelector"] = {**(pod.get("nodeSelector") or {}), **own}
    defaults = {
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }
    for key, value in defaults.items():
        pod.setdefault(key, value)
    for container in [*pod["containers"], *(pod.get("initContainers") or ())]:
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("resources", {})
