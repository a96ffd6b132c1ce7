"""From the portal's JSON to types: forgiving about what is absent, strict about shape.

Any field may be missing, null or of another type: the portal's versions differ, and no field
here is worth a failed deploy. Only a body of the wrong shape altogether is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from pipe.portal.model import Container, Fault, Phase, Pod, Service, Tenant

MAIN_CONTAINER = "duplo-main-container"
"""The wire's name for the main container in an image update."""

_FLAGS = (
    "IsAnyHostAllowed",
    "IsCloudCredsFromK8sServiceAccount",
    "IsDaemonset",
    "ForceStatefulSet",
    "IsLBSyncedDeployment",
    "IsReplicaCollocationAllowed",
    "IsUniqueK8sNodeRequired",
    "ShouldSpreadAcrossZones",
)
# Severity on the wire: 0 critical, 1 high, 2 error, 3 warning, 4 info, 5 fatal, 6 verbose.
_GRAVITY = {5: 6, 0: 5, 1: 4, 2: 3, 3: 2, 4: 1, 6: 0}
_PHASES = {int(phase): phase for phase in Phase}


class Shapeless(ValueError):
    """A body that is not what the API promises; the text says what was expected."""


def tenants(body: Any) -> tuple[Tenant, ...]:
    """`GetTenantsForUser` and `GetTenantNames`."""
    found = (Tenant(_text(item, "TenantId"), _text(item, "AccountName")) for item in _list(body))
    return tuple(tenant for tenant in found if tenant.id and tenant.name)


def services(body: Any) -> tuple[Service, ...]:
    """`GetReplicationControllers`."""
    found = (_service(item) for item in _list(body))
    return tuple(service for service in found if service.name)


def service(body: Any) -> Service | None:
    """The v3 find; null, or an object without a name, means that there is none."""
    if body is None:
        return None
    if not isinstance(body, dict):
        message = "a service object or null"
        raise Shapeless(message)
    found = _service(body)
    return found if found.name else None


def pods(body: Any) -> tuple[Pod, ...]:
    """`GetPods`, without the pods of jobs."""
    found = (_pod(item) for item in _list(body))
    return tuple(pod for pod in found if not pod.controller_kind.endswith("batch/v1/Job"))


def faults(body: Any) -> tuple[Fault, ...]:
    """`GetFaultsByTenant`, both shapes."""
    return tuple(_fault(item) for item in _list(body))


def log_lines(body: Any) -> tuple[str, ...]:
    """`findContainerLogs`; `Data` may be missing or null."""
    return tuple(_text(body, "Data").splitlines()) if isinstance(body, dict) else ()


def _service(item: Mapping[str, Any]) -> Service:
    template = _object(item, "Template")
    name = _text(item, "Name")
    return Service(
        name=name,
        image=_main_image(name, template),
        other_images=_other_images(_text(template, "OtherDockerConfig")),
        replicas=_count(item, "Replicas") or 0,
        replicas_active=_count(item, "ReplicasActive"),
        least=_least(item),
        follows_hosts=item.get("IsDaemonset") is True
        or bool(_text(item, "ReplicasMatchingAsgName")),
        stateful=item.get("ForceStatefulSet") is True,
        platform=_code(template, "AgentPlatform"),
        cloud=_code(template, "Cloud"),
        allocation_tags=_text(template, "AllocationTags"),
        deployed_at=_text(item, "LastDeployedAt"),
        deployed_by=_text(item, "LastDeployedBy"),
        restarted_at=_text(template, "RestartTime"),
        history=_history(item),
        flags={key: item[key] for key in _FLAGS if isinstance(item.get(key), bool)},
    )


def _least(item: Mapping[str, Any]) -> int | None:
    """An autoscaler's lower bound, which Kubernetes takes as 1 when it is not given."""
    specs = next((key for key in ("HPASpecs", "HpaSpecs") if isinstance(item.get(key), dict)), None)
    if specs is None:
        return None
    given = _count(_object(item, specs), "minReplicas")
    return 1 if given is None else given


def _main_image(name: str, template: Mapping[str, Any]) -> str:
    containers = list(_objects(template, "Containers"))
    named = [item for item in containers if _text(item, "Name") == name]
    return next((_text(item, "Image") for item in [*named, *containers]), "")


def _other_images(config: str) -> dict[str, str]:
    """Side and init containers live in JSON text whose keys people type in any case."""
    try:
        parsed = json.loads(config or "{}")
    except (ValueError, RecursionError):
        return {}
    lists = _folded(parsed)
    found = [*_items(lists.get("initcontainers")), *_items(lists.get("additionalcontainers"))]
    by_name = ((_folded(item).get("name"), _folded(item).get("image")) for item in found)
    return {
        name: image
        for name, image in by_name
        if isinstance(name, str) and isinstance(image, str) and name
    }


def _history(item: Mapping[str, Any]) -> tuple[str, ...]:
    records = sorted(
        _objects(item, "ContainerImageHistory"), key=lambda record: _text(record, "DeployedAt")
    )
    return tuple(image for record in records if (image := _text(record, "Image")))


def _pod(item: Mapping[str, Any]) -> Pod:
    controller = _object(item, "ControlledBy")
    return Pod(
        name=_text(item, "InstanceId"),
        owner=_text(item, "Name"),
        phase=_phase(item, "CurrentStatus", Phase.UNKNOWN),
        desired=_phase(item, "DesiredStatus", Phase.RUNNING),
        host=_text(item, "Host"),
        controller=_text(controller, "NativeId"),
        controller_kind=_text(controller, "QualifiedType"),
        containers=tuple(_container(entry) for entry in _objects(item, "Containers")),
        init_containers=tuple(_container(entry) for entry in _objects(item, "InitContainers")),
    )


def _container(item: Mapping[str, Any]) -> Container:
    state = _object(item, "LastContainerState")
    waiting, ended = _object(state, "waiting"), _object(state, "terminated")
    exit_code = ended.get("exitCode")
    return Container(
        name=_text(item, "Name"),
        image=_text(item, "Image"),
        docker_id=_text(item, "DockerId"),
        restarts=_count(item, "RestartCount"),
        waiting=_text(waiting, "reason"),
        message=_text(waiting, "message") or _text(ended, "message"),
        exit_code=exit_code if _is_integer(exit_code) else None,
    )


def _fault(item: Mapping[str, Any]) -> Fault:
    resource = _object(item, "Resource")
    names = (_text(resource, "Name"), _text(resource, "NativeId"), _text(item, "ResourceName"))
    return Fault(
        resources=frozenset(name for name in names if name),
        text=_text(item, "Description"),
        gravity=_GRAVITY.get(_code(item, "Severity"), 0),
        last_seen=_text(item, "LastSeen"),
    )


def _list(body: Any) -> Iterator[Mapping[str, Any]]:
    if body is not None and not isinstance(body, list):
        message = "a list"
        raise Shapeless(message)
    return _items(body)


def _items(value: Any) -> Iterator[Mapping[str, Any]]:
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )


def _objects(item: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    return _items(item.get(key))


def _object(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def _folded(value: Any) -> dict[str, Any]:
    return (
        {key.casefold(): entry for key, entry in value.items()} if isinstance(value, dict) else {}
    )


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _count(item: Mapping[str, Any], key: str) -> int | None:
    value = item.get(key)
    return value if _is_integer(value) and value >= 0 else None


def _code(item: Mapping[str, Any], key: str) -> int:
    """A code of the platform; -1 when absent, because 0 is a valid one."""
    value = item.get(key)
    return value if _is_integer(value) else -1


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _phase(item: Mapping[str, Any], key: str, absent: Phase) -> Phase:
    value = item.get(key)
    return _PHASES.get(value, Phase.UNKNOWN) if _is_integer(value) else absent
