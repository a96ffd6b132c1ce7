"""The calls a deploy needs, over both generations of the portal's API.

v3 routes may be missing on older portals (404 with an empty body, 405, sometimes 500); v2 ones
are everywhere. A refusal of the token or of its rights (401, 403) is never taken for a missing
route: that would hide the cause.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter

from pipe.clock import Deadline
from pipe.errors import IdentityError, PlatformError, Refused, Unreachable
from pipe.http import HttpClient, Reply
from pipe.model import MAIN
from pipe.portal import docker_config, error_body, wire
from pipe.portal.calls import NO_ROUTE, Calls, Scope
from pipe.portal.cronjobs import CronJobPortal
from pipe.portal.ecs import EcsPortal
from pipe.portal.functions import LambdaPortal
from pipe.portal.items import ItemReader
from pipe.portal.model import Fault, Pod, Service, Tenant

log = logging.getLogger(__name__)

_NO_FIND_ROUTE = (404, 405, 500)
_LOG_LINES = 50
_SHORTEST_READ = 5.0


class Portal:
    """The portal as a whole: which tenants are there?"""

    def __init__(self, http: HttpClient) -> None:
        self._calls = Calls(http)

    def tenants(self) -> tuple[Tenant, ...]:
        """The tenants the token may use; the cheapest proof that it is valid.

        Raises `IdentityError` when the portal refuses the token.
        """
        mine = self._calls.read("admin/GetTenantsForUser")
        if mine.status in (403, 404):
            # For some tokens only the other list is open (a guess of the API's own clients).
            mine = self._calls.read("adminproxy/GetTenantNames")
        if mine.status == 403:
            raise IdentityError.token_refused(self._calls.host, error_body.message(mine))
        if mine.status == 404:
            raise Refused(
                f"{self._calls.host} has no list of tenants: this is not the portal.",
                "Check DUPLO_HOST.",
            )
        return self._calls.decode(mine, "the list of tenants", wire.tenants)

    def user(self) -> str:
        """Whose token it is, empty when the portal does not tell."""
        reply = self._calls.read("admin/GetUserRoleInfo", final=_NO_FIND_ROUTE)
        try:
            return wire.username(reply.json()) if reply.ok else ""
        except ValueError:
            return ""

    def tenant(self, tenant: Tenant) -> TenantPortal:
        """The calls inside one tenant."""
        return TenantPortal(self._calls, tenant)


class TenantPortal:
    """The portal inside one tenant."""

    def __init__(self, calls: Calls, tenant: Tenant) -> None:
        self._calls = calls
        self._scope = Scope(calls, tenant)
        self.tenant = tenant
        self._lacking: set[str] = set()
        self._services = ItemReader(wire.listed_service, attrgetter("name"))
        self._pods = ItemReader(wire.pod, attrgetter("name"))
        self.ecs = EcsPortal(self._scope)
        self.lambdas = LambdaPortal(self._scope)
        self.cronjobs = CronJobPortal(self._scope)

    def until(self, deadline: Deadline) -> TenantPortal:
        """The same calls for a loop that repeats them itself: tried once, over by `deadline`."""
        left = max(_SHORTEST_READ, deadline.left())
        limits = self._calls.http.limits
        # Half of what is left at most: one silent answer must not take all of it.
        hurried = replace(limits, tries=1, read=min(limits.read, max(_SHORTEST_READ, left / 2)))
        quick = TenantPortal(Calls(self._calls.http.limited(hurried)), self.tenant)
        # What one look finds out, the next need not.
        quick._lacking, quick._services, quick._pods = self._lacking, self._services, self._pods
        return quick

    def services(self) -> tuple[Service, ...]:
        """Every service of the tenant."""
        path = self._scope.v2("GetReplicationControllers")
        reply = self._calls.read(path, decode=self._services.read)
        return self._calls.decode(reply, "the list of services", wire.with_names)

    def service(self, name: str) -> Service | None:
        """One service, None when there is no such; old portals are asked for the whole list."""
        if "find" not in self._lacking:
            path = self._scope.v3("replicationcontroller", name)
            reply = self._calls.read(path, final=_NO_FIND_ROUTE)
            if reply.status not in _NO_FIND_ROUTE:
                return self._calls.decode(reply, f"the service {name}", wire.service)
            self._lacking.add("find")
        return next((service for service in self.services() if service.name == name), None)

    def pods(self) -> tuple[Pod, ...]:
        """Every pod of the tenant but those of jobs."""
        reply = self._calls.read(self._scope.v2("GetPods"), decode=self._pods.read)
        return self._calls.decode(reply, "the list of pods", wire.without_jobs)

    def faults(self) -> tuple[Fault, ...]:
        """Every fault the platform knows in the tenant, old ones included."""
        reply = self._calls.read(self._scope.v2("GetFaultsByTenant"))
        return self._calls.decode(reply, "the list of faults", wire.faults)

    def log_tail(self, pod: Pod, docker_id: str) -> tuple[str, ...]:
        """The last lines a container wrote; none when the portal cannot tell."""
        body = {"HostName": pod.host, "DockerId": docker_id, "Tail": _LOG_LINES}
        try:
            reply = self._calls.http.once("POST", self._scope.v2("findContainerLogs"), body)
            return wire.log_lines(reply.json()) if reply.ok else ()
        except (Unreachable, ValueError) as trouble:
            log.debug("no log of %s: %s", pod.name, trouble)
            return ()

    def load_balancer(self, service: Service) -> str:
        """The DNS name of the load balancer before a service, empty when nobody can tell."""
        try:
            reply = self._calls.read(self._scope.v2("GetLbDetailsInService", service.name))
            return wire.load_balancer(reply.json()) if reply.ok else ""
        except (PlatformError, ValueError) as trouble:
            log.debug("no load balancer of %s: %s", service.name, trouble)
            return ""

    def change_images(self, service: Service, images: Mapping[str, str]) -> None:
        """Give containers of `service` new images, by container name.

        The service must exist: only then does a 404 mean that the newer route is missing.
        Raises `Unreachable` when it is unknown whether the portal acted.
        """
        body = [
            {"ContainerName": container or wire.MAIN_CONTAINER, "ImageName": image}
            for container, image in images.items()
        ]
        path = self._scope.v3("containers", "replicationController", service.name, "containerimage")
        reply = self._calls.http.once("PUT", path, body)
        if self._lacks_route(reply, service):
            log.debug("no containerimage route here; using ReplicationControllerChange")
            self._change_image_v2(service, images)
        else:
            self._calls.check_done(reply, f"the change of {service.name}")

    def restart(self, service: Service) -> None:
        """Restart the pods of `service`, rolling."""
        path = self._scope.v2("ReplicationControllerReboot", service.name)
        self._scope.send("POST", path, {}, f"the restart of {service.name}")

    def _change_image_v2(self, service: Service, images: Mapping[str, str]) -> None:
        # An absent AllocationTags is wiped and absent switches fall back to their defaults.
        body = {
            "Name": service.name,
            "AllocationTags": service.allocation_tags,
            "AgentPlatform": service.platform,
            **service.flags,
        }
        if service.platform < 0:
            del body["AgentPlatform"]
        if MAIN in images:
            body["Image"] = images[MAIN]
        if others := {name: new for name, new in images.items() if name != MAIN}:
            body["OtherDockerConfig"] = _with_images(service, others)
        path = self._scope.v2("ReplicationControllerChange")
        self._scope.send("POST", path, body, f"the change of {service.name}")

    def _lacks_route(self, reply: Reply, service: Service) -> bool:
        if reply.status in NO_ROUTE:
            return True
        # Unproven for native docker: an error there may mean that the route cannot serve it.
        return (
            service.native_docker
            and (reply.status == 500 or "not found" in error_body.message(reply).lower())
            and not reply.ok
        )


def _with_images(service: Service, images: Mapping[str, str]) -> str:
    try:
        return docker_config.with_images(service.docker_config, images)
    except ValueError as problem:
        raise Refused(
            f"This portal is too old to change single containers of {service.name}, and its "
            f"OtherDockerConfig cannot be rewritten: {problem}.",
            "Correct OtherDockerConfig of the service in the portal.",
        ) from None
