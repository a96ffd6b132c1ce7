"""The portal's API for services: reads, changes and restarts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from operator import attrgetter

from pipe.configuration import Configuration
from pipe.errors import PlatformError, Refused
from pipe.http import Reply
from pipe.model import MAIN
from pipe.portal import docker_config, error_body, extra_config
from pipe.portal.calls import NO_ROUTE
from pipe.portal.fields import text
from pipe.portal.list_reader import values_of
from pipe.portal.scope import Scope
from pipe.portal.service_body import Service, decode_found, decode_named

log = logging.getLogger(__name__)

_NO_FIND_ROUTE = (*NO_ROUTE, 500)
_FIND = "find a service"
_MAIN_CONTAINER = "duplo-main-container"
"""The API's name for the main container in an image update."""
_SECONDS_FOR_ADDRESS = 5.0


class Services:
    """The portal's API for services in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[Service, ...]:
        """Return every service in the tenant."""
        path = self._scope.v2("GetReplicationControllers")
        reader = self._scope.memory.list_reader(path, decode_named, attrgetter("name"))
        reply = self._scope.calls.read(path, stream=reader.read)
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
