"""Services, with their containers' images and their load balancer's listeners.

Empty texts and `None` mean that the portal did not report a value, which varies by version.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from pipe.configuration import Configuration, Variables
from pipe.errors import PlatformError, Refused
from pipe.http import Reply
from pipe.model import MAIN
from pipe.portal import docker_config, error_body, extra_config
from pipe.portal.calls import NO_ROUTE
from pipe.portal.fields import UnexpectedShape, code, count, items, nested, objects, text
from pipe.portal.list_reader import values_of
from pipe.portal.scope import Scope

log = logging.getLogger(__name__)

_NO_FIND_ROUTE = (*NO_ROUTE, 500)
_FIND = "find a service"
_MAIN_CONTAINER = "duplo-main-container"
"""The API's name for the main container in an image update."""
_SECONDS_FOR_ADDRESS = 5.0
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


class Services:
    """The portal's API for services in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[Service, ...]:
        """Return every service in the tenant."""
        path = self._scope.v2("GetReplicationControllers")
        reader = self._scope.memory.list_reader(path, decode_named, attrgetter("name"))
        reply = self._scope.calls.read(path, decode=reader.read)
        return self._scope.calls.decode(reply, "the list of services", values_of)

    def find(self, name: str) -> Service | None:
        """Return one service, None when it does not exist; on old portals from the whole list."""
        missing_routes = self._scope.memory.missing_routes
        if _FIND not in missing_routes:
            path = self._scope.v3("replicationcontroller", name)
            reply = self._scope.calls.read(path, final=_NO_FIND_ROUTE)
            if reply.status not in _NO_FIND_ROUTE:
                return self._scope.calls.decode(reply, f"the service {name}", decode_found)
            missing_routes.add(_FIND)
        return next((service for service in self.list() if service.name == name), None)

    def load_balancer(self, service: Service) -> str:
        """Return the DNS name of the service's load balancer, empty when it cannot be read.

        Asked once, for a few seconds: only a test of a path depends on it.
        """
        try:
            path = self._scope.v2("GetLbDetailsInService", service.name)
            reply = self._scope.calls.within(_SECONDS_FOR_ADDRESS, once=True).read(path)
            body = reply.json() if reply.ok else None
            return text(body, "DNSName") if isinstance(body, dict) else ""
        except (PlatformError, ValueError) as error:
            log.debug("no load balancer of %s: %s", service.name, error)
            return ""

    def change_images(self, service: Service, images: Mapping[str, str]) -> None:
        """Change images of an existing service, by container name.

        The service must exist: only then does status 404 mean that the newer route is missing.
        Raises `Unreachable` when it is unknown whether the portal made the change.
        """
        body = [
            {"ContainerName": container or _MAIN_CONTAINER, "ImageName": image}
            for container, image in images.items()
        ]
        path = self._scope.v3("containers", "replicationController", service.name, "containerimage")
        reply = self._scope.calls.send("PUT", path, body)
        if _is_route_missing(reply, service) or self._has_failed_again(reply, service):
            log.debug("no containerimage route here; using ReplicationControllerChange")
            self._change_images_v2(service, images)
        else:
            self._scope.calls.check_done(reply, f"the change of {service.name}")

    def configure(
        self,
        service: Service,
        images: Mapping[str, str],
        configuration: Configuration,
        former: Service | None = None,
    ) -> None:
        """Change images, environments and the number of replicas in one write.

        With `former`, the environments are restored as it had them. Raises `Unreachable` when it
        is unknown whether the portal made the change.
        """
        body = _change(service, images)
        try:
            body |= _texts(service, images, configuration, former)
        except ValueError as problem:
            raise Refused(
                f"The {service.environment_key} of {service.name} cannot be rewritten: {problem}.",
                f"Correct {service.environment_key} of the service in the portal.",
            ) from None
        if configuration.replicas is not None:
            body["Replicas"] = configuration.replicas
        path = self._scope.v2("ReplicationControllerChange")
        self._scope.calls.write("POST", path, body, f"the change of {service.name}")

    def restart(self, service: Service) -> None:
        """Start a rolling restart of the service's pods."""
        path = self._scope.v2("ReplicationControllerReboot", service.name)
        self._scope.calls.write("POST", path, {}, f"the restart of {service.name}")

    def _has_failed_again(self, reply: Reply, service: Service) -> bool:
        """Return whether the newer route failed with 500 twice, as some portals answer without it.

        After the first time the caller finds out whether the portal made the change nevertheless.
        """
        failed = self._scope.memory.failed_changes
        if reply.status == 500 and service.name in failed:
            return True
        (failed.add if reply.status == 500 else failed.discard)(service.name)
        return False

    def _change_images_v2(self, service: Service, images: Mapping[str, str]) -> None:
        body = _change(service, images)
        if others := {name: image for name, image in images.items() if name != MAIN}:
            body["OtherDockerConfig"] = _with_images(service, others)
        path = self._scope.v2("ReplicationControllerChange")
        self._scope.calls.write("POST", path, body, f"the change of {service.name}")


def _is_route_missing(reply: Reply, service: Service) -> bool:
    if reply.status in NO_ROUTE:
        return True
    # Not confirmed for native Docker: an error may mean that the route does not support it.
    return (
        service.native_docker
        and (reply.status == 500 or "not found" in error_body.message(reply).lower())
        and not reply.ok
    )


def _change(service: Service, images: Mapping[str, str]) -> dict[str, object]:
    """Return the body of a change, which wipes the tags and switches that it lacks."""
    body: dict[str, object] = {
        "Name": service.name,
        "AllocationTags": service.allocation_tags,
        "AgentPlatform": service.platform,
        **service.flags,
    }
    if service.platform < 0:
        del body["AgentPlatform"]
    if MAIN in images:
        body["Image"] = images[MAIN]
    return body


def _texts(
    service: Service,
    images: Mapping[str, str],
    configuration: Configuration,
    former: Service | None,
) -> dict[str, object]:
    """Return the texts that a change replaces as a whole, by the API's names."""
    edits, texts = configuration.environment, dict[str, object]()
    config = service.docker_config
    if others := {name: image for name, image in images.items() if name != MAIN}:
        texts["OtherDockerConfig"] = config = docker_config.with_images(config, others)
    if edits and service.native_docker:
        texts["ExtraConfig"] = (
            extra_config.with_former_environments(service.extra_config, former.extra_config, edits)
            if former
            else extra_config.with_environments(service.extra_config, edits)
        )
    elif edits:
        texts["OtherDockerConfig"] = (
            docker_config.with_former_environments(config, former.docker_config, edits)
            if former
            else docker_config.with_environments(config, edits)
        )
    return texts


def _with_images(service: Service, images: Mapping[str, str]) -> str:
    try:
        return docker_config.with_images(service.docker_config, images)
    except ValueError as problem:
        raise Refused(
            f"This portal is too old to change single containers of {service.name}, and its "
            f"OtherDockerConfig cannot be rewritten: {problem}.",
            "Correct OtherDockerConfig of the service in the portal.",
        ) from None


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
