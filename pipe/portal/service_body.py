"""A service as the portal shows it, with its containers' images and its listeners.

Empty texts and `None` mean that the portal did not report a value, which varies by version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipe.configuration import Variables
from pipe.model import MAIN
from pipe.portal import docker_config, extra_config
from pipe.portal.fields import UnexpectedShape, code, count, items, nested, objects, text

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


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener of a service's load balancer.

    `kind` is the platform's code (1 and 5 application, 6 network, ...); `host` is the
    listener's own name; `port` is the public one, 0 when the portal does not report it;
    `secure` means that it terminates TLS.
    """

    kind: int
    protocol: str
    port: int
    host: str
    internal: bool
    secure: bool


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    `replicas` is the configured count, `replicas_active` the count that newer portals report,
    `min_replicas` the autoscaler's lower bound (None without an autoscaler). `one_pod_per_host`
    is true for daemon sets and services that follow an autoscaling group. `image` is that of
    the main container; `other_images` holds side and init containers by name. `flags` are
    switches that the older update call resets unless they are sent again. `history` holds the
    images of each deploy by container, oldest first; `docker_config` is the text in which side
    and init containers and environments are kept, `extra_config` the one with the environment on
    plain Docker hosts, `volumes` the one with further volumes. `hosts` are its public names,
    the preferred one first.
    """

    name: str
    image: str
    other_images: Mapping[str, str]
    replicas: int
    replicas_active: int | None
    min_replicas: int | None
    one_pod_per_host: bool
    platform: int
    cloud: int
    allocation_tags: str
    deployed_at: str
    restarted_at: str
    history: tuple[Mapping[str, str], ...]
    flags: Mapping[str, bool]
    docker_config: str = field(default="", repr=False)
    extra_config: str = field(default="", repr=False)
    volumes: str = field(default="", repr=False)
    deployed_by: str = ""
    hosts: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()

    @property
    def native_docker(self) -> bool:
        """Whether it runs on plain Docker hosts (AgentPlatform 0 or 5), not Kubernetes."""
        return self.platform in (0, 5)

    @property
    def environment_key(self) -> str:
        """The API's name of the text that holds the environments."""
        return "ExtraConfig" if self.native_docker else "OtherDockerConfig"

    def environments(self) -> Mapping[str, Variables]:
        """Return the variables of every container.

        Raises `ValueError` with the reason when their text cannot be edited.
        """
        if self.native_docker:
            return extra_config.environments(self.extra_config)
        return docker_config.environments(self.docker_config)

    @property
    def autoscaled(self) -> bool:
        """Whether an autoscaler sets the number of pods."""
        return self.min_replicas is not None

    @property
    def faults_by_service(self) -> bool:
        """Whether faults name the service, as on Azure, and not its pods."""
        return self.cloud == 2


def decode_named(item: Mapping[str, Any]) -> Service | None:
    """Decode one service of `GetReplicationControllers`, None if it has no name."""
    service = decode_service(item)
    return service if service.name else None


def decode_found(body: Any) -> Service | None:
    """Decode the v3 find, where null or an object without a name means not found."""
    if body is None:
        return None
    if not isinstance(body, dict):
        raise UnexpectedShape("a service object or null")
    return decode_named(body)


def decode_service(item: Mapping[str, Any]) -> Service:
    """Decode one service of `GetReplicationControllers`."""
    template = nested(item, "Template")
    name = text(item, "Name")
    config = text(template, "OtherDockerConfig")
    return Service(
        name=name,
        image=_main_image(name, template),
        other_images=docker_config.images(config),
        replicas=count(item, "Replicas") or 0,
        replicas_active=count(item, "ReplicasActive"),
        min_replicas=_min_replicas(item),
        one_pod_per_host=item.get("IsDaemonset") is True
        or bool(text(item, "ReplicasMatchingAsgName")),
        platform=code(template, "AgentPlatform"),
        cloud=code(template, "Cloud"),
        allocation_tags=text(template, "AllocationTags"),
        deployed_at=text(item, "LastDeployedAt"),
        deployed_by=text(item, "LastDeployedBy"),
        restarted_at=text(template, "RestartTime"),
        history=_history(item),
        flags={key: item[key] for key in _FLAGS if isinstance(item.get(key), bool)},
        docker_config=config,
        extra_config=text(template, "ExtraConfig"),
        volumes=text(template, "Volumes"),
        hosts=tuple(host for key in ("FqdnEx", "Fqdn") if (host := text(item, key))),
        # An object whose keys repeat the port and protocol.
        listeners=tuple(
            _listener(entry) for entry in items([*nested(template, "LBConfigurations").values()])
        ),
    )


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


def _min_replicas(item: Mapping[str, Any]) -> int | None:
    """Return an autoscaler's lower bound, which Kubernetes defaults to 1."""
    specs = next((key for key in ("HPASpecs", "HpaSpecs") if isinstance(item.get(key), dict)), None)
    if specs is None:
        return None
    configured = count(nested(item, specs), "minReplicas")
    return 1 if configured is None else configured


def _main_image(name: str, template: Mapping[str, Any]) -> str:
    containers = [*objects(template, "Containers")]
    named = [item for item in containers if text(item, "Name") == name]
    return next((text(item, "Image") for item in [*named, *containers]), "")


def _history(item: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    """Return the images of each deploy by container, oldest first."""
    records = sorted(
        objects(item, "ContainerImageHistory"), key=lambda record: text(record, "DeployedAt")
    )
    return tuple(_deployed_images(record) for record in records if text(record, "Image"))


def _deployed_images(record: Mapping[str, Any]) -> Mapping[str, str]:
    others = (
        (text(entry, "ContainerName"), text(entry, "ImageName"))
        for key in ("InitContainerImages", "AdditionalContainerImages")
        for entry in objects(record, key)
    )
    return {MAIN: text(record, "Image"), **{name: image for name, image in others if name}}
