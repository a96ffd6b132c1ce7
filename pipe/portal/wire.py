"""From the portal's JSON to types: forgiving about what is absent, strict about shape.

Any field may be missing, null or of another type: the portal's versions differ, and no field
here is worth a failed deploy. Only a body of the wrong shape altogether is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from sys import intern
from typing import Any

from pipe.model import MAIN
from pipe.portal.fields import (
    Shapeless,
    code,
    count,
    folded,
    is_integer,
    items,
    listed,
    nested,
    objects,
    text,
)
from pipe.portal.model import Container, Fault, Listener, Phase, Pod, Service, Tenant

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


def tenants(body: Any) -> tuple[Tenant, ...]:
    """`GetTenantsForUser` and `GetTenantNames`."""
    found = (Tenant(text(item, "TenantId"), text(item, "AccountName")) for item in listed(body))
    return tuple(tenant for tenant in found if tenant.id and tenant.name)


def username(body: Any) -> str:
    """`GetUserRoleInfo`; whatever else it holds, a session's token for one, stays unread."""
    return text(body, "Username") if isinstance(body, dict) else ""


def with_names(found: Any) -> tuple[Service, ...]:
    """The services among `found` that have a name. An error's body may be anything else."""
    if not isinstance(found, tuple):
        raise Shapeless("a list")
    return tuple(service for service in found if service.name)


def service(body: Any) -> Service | None:
    """The v3 find; null, or an object without a name, means that there is none."""
    if body is None:
        return None
    if not isinstance(body, dict):
        message = "a service object or null"
        raise Shapeless(message)
    found = listed_service(body)
    return found if found.name else None


def without_jobs(found: Any) -> tuple[Pod, ...]:
    """The pods among `found` that no job runs. An error's body may be anything else."""
    if not isinstance(found, tuple):
        raise Shapeless("a list")
    return tuple(one for one in found if not one.controller_kind.endswith("batch/v1/Job"))


def faults(body: Any) -> tuple[Fault, ...]:
    """`GetFaultsByTenant`, both shapes."""
    return tuple(_fault(item) for item in listed(body))


def load_balancer(body: Any) -> str:
    """`GetLbDetailsInService`: its name in DNS; null and the like when there is none."""
    return text(body, "DNSName") if isinstance(body, dict) else ""


def log_lines(body: Any) -> tuple[str, ...]:
    """`findContainerLogs`; `Data` may be missing or null."""
    return tuple(text(body, "Data").splitlines()) if isinstance(body, dict) else ()


def listed_service(item: Mapping[str, Any]) -> Service:
    """One service of `GetReplicationControllers`."""
    template = nested(item, "Template")
    name = text(item, "Name")
    return Service(
        name=name,
        image=_main_image(name, template),
        other_images=_other_images(text(template, "OtherDockerConfig")),
        replicas=count(item, "Replicas") or 0,
        replicas_active=count(item, "ReplicasActive"),
        least=_least(item),
        follows_hosts=item.get("IsDaemonset") is True
        or bool(text(item, "ReplicasMatchingAsgName")),
        stateful=item.get("ForceStatefulSet") is True,
        platform=code(template, "AgentPlatform"),
        cloud=code(template, "Cloud"),
        allocation_tags=text(template, "AllocationTags"),
        deployed_at=text(item, "LastDeployedAt"),
        deployed_by=text(item, "LastDeployedBy"),
        restarted_at=text(template, "RestartTime"),
        history=_history(item),
        flags={key: item[key] for key in _FLAGS if isinstance(item.get(key), bool)},
        docker_config=text(template, "OtherDockerConfig"),
        hosts=tuple(host for key in ("FqdnEx", "Fqdn") if (host := text(item, key))),
        listeners=_listeners(template),
    )


def _listeners(template: Mapping[str, Any]) -> tuple[Listener, ...]:
    """The listeners inside a service: an object whose keys say nothing new."""
    found = items(list(nested(template, "LBConfigurations").values()))
    return tuple(_listener(item) for item in found)


def _listener(item: Mapping[str, Any]) -> Listener:
    port = count(item, "ExternalPort") or 0
    protocol = text(item, "Protocol").casefold()
    return Listener(
        kind=code(item, "LbType"),
        protocol=protocol,
        port=port,
        host=text(item, "DnsName"),
        internal=item.get("IsInternal") is True,
        secure=bool(text(item, "CertificateArn")) or port == 443 or protocol == "https",
    )


def _least(item: Mapping[str, Any]) -> int | None:
    """An autoscaler's lower bound, which Kubernetes takes as 1 when it is not given."""
    specs = next((key for key in ("HPASpecs", "HpaSpecs") if isinstance(item.get(key), dict)), None)
    if specs is None:
        return None
    given = count(nested(item, specs), "minReplicas")
    return 1 if given is None else given


def _main_image(name: str, template: Mapping[str, Any]) -> str:
    containers = list(objects(template, "Containers"))
    named = [item for item in containers if text(item, "Name") == name]
    return next((text(item, "Image") for item in [*named, *containers]), "")


def _other_images(config: str) -> dict[str, str]:
    """Side and init containers live in JSON text whose keys people type in any case."""
    try:
        parsed = json.loads(config or "{}")
    except (ValueError, RecursionError):
        return {}
    lists = folded(parsed)
    found = [*items(lists.get("initcontainers")), *items(lists.get("additionalcontainers"))]
    by_name = ((folded(item).get("name"), folded(item).get("image")) for item in found)
    return {
        name: image
        for name, image in by_name
        if isinstance(name, str) and isinstance(image, str) and name
    }


def _history(item: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    """The images of each deploy by container, oldest first."""
    records = sorted(
        objects(item, "ContainerImageHistory"), key=lambda record: text(record, "DeployedAt")
    )
    return tuple(_deployed(record) for record in records if text(record, "Image"))


def _deployed(record: Mapping[str, Any]) -> Mapping[str, str]:
    others = (
        (text(entry, "ContainerName"), text(entry, "ImageName"))
        for key in ("InitContainerImages", "AdditionalContainerImages")
        for entry in objects(record, key)
    )
    return {MAIN: text(record, "Image"), **{name: image for name, image in others if name}}


def pod(item: Mapping[str, Any]) -> Pod:
    """One pod of `GetPods`. Thousands share a few words, which are kept once."""
    controller = nested(item, "ControlledBy")
    return Pod(
        name=text(item, "InstanceId"),
        owner=intern(text(item, "Name")),
        phase=_phase(item, "CurrentStatus", Phase.UNKNOWN),
        desired=_phase(item, "DesiredStatus", Phase.RUNNING),
        host=intern(text(item, "Host")),
        controller=intern(text(controller, "NativeId")),
        controller_kind=intern(text(controller, "QualifiedType")),
        containers=tuple(_container(entry) for entry in objects(item, "Containers")),
        init_containers=tuple(_container(entry) for entry in objects(item, "InitContainers")),
    )


def _container(item: Mapping[str, Any]) -> Container:
    plain = Container(
        name=intern(text(item, "Name")),
        image=intern(text(item, "Image")),
        docker_id=text(item, "DockerId"),
        restarts=count(item, "RestartCount"),
    )
    state = nested(item, "LastContainerState")
    waiting, ended = nested(state, "waiting"), nested(state, "terminated")
    if not waiting and not ended:
        return plain
    exit_code = ended.get("exitCode")
    return replace(
        plain,
        waiting=text(waiting, "reason"),
        message=text(waiting, "message") or text(ended, "message"),
        exit_code=exit_code if is_integer(exit_code) else None,
    )


def _fault(item: Mapping[str, Any]) -> Fault:
    resource = nested(item, "Resource")
    names = (text(resource, "Name"), text(resource, "NativeId"), text(item, "ResourceName"))
    return Fault(
        resources=frozenset(name for name in names if name),
        text=text(item, "Description"),
        gravity=_GRAVITY.get(code(item, "Severity"), 0),
        last_seen=text(item, "LastSeen"),
    )


def _phase(item: Mapping[str, Any], key: str, absent: Phase) -> Phase:
    value = item.get(key)
    return _PHASES.get(value, Phase.UNKNOWN) if is_integer(value) else absent
