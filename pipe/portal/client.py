"""The calls a deploy needs, over both generations of the portal's API.

v3 routes may be missing on older portals (404 with an empty body, 405, sometimes 500); v2 ones
are everywhere. A refusal of the token or of its rights (401, 403) is never taken for a missing
route: that would hide the cause.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests

from pipe.clock import Deadline
from pipe.errors import IdentityError, PlatformError, Refused, Unreachable
from pipe.http import HttpClient, Reply
from pipe.model import MAIN
from pipe.portal import said, wire
from pipe.portal.model import Fault, Pod, Service, Tenant
from pipe.secret import Secret

log = logging.getLogger(__name__)

T = TypeVar("T")

_NO_ROUTE = (404, 405)
_NO_FIND_ROUTE = (404, 405, 500)
_NO_NAMES = ("", ".", "..")
_LOG_LINES = 50
_SHORTEST_READ = 5.0


class BearerAuth(requests.auth.AuthBase):
    """Puts the token on requests to the portal, and only there."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        request.headers["Accept"] = "application/json"
        # A cache in between would show a rollout as it was.
        request.headers["Cache-Control"] = "no-cache"
        return request


class Portal:
    """The portal as a whole: which tenants are there?"""

    def __init__(self, http: HttpClient) -> None:
        self._calls = _Calls(http)

    def tenants(self) -> tuple[Tenant, ...]:
        """The tenants the token may use; the cheapest proof that it is valid.

        Raises `IdentityError` when the portal refuses the token.
        """
        mine = self._calls.read("admin/GetTenantsForUser")
        if mine.status in (403, 404):
            # For some tokens only the other list is open (a guess of the API's own clients).
            mine = self._calls.read("adminproxy/GetTenantNames")
        if mine.status == 403:
            raise IdentityError.token_refused(self._calls.host, said.message(mine))
        if mine.status == 404:
            raise Refused(
                f"{self._calls.host} has no list of tenants: this is not the portal.",
                "Check DUPLO_HOST.",
            )
        return self._calls.decode(mine, "the list of tenants", wire.tenants)

    def tenant(self, tenant: Tenant) -> TenantPortal:
        """The calls inside one tenant."""
        return TenantPortal(self._calls, tenant)


class TenantPortal:
    """The portal inside one tenant."""

    def __init__(self, calls: _Calls, tenant: Tenant) -> None:
        self._calls = calls
        self.tenant = tenant
        self._finds_services = True

    def until(self, deadline: Deadline) -> TenantPortal:
        """The same calls for a loop that repeats them itself: tried once, over by `deadline`."""
        left = max(_SHORTEST_READ, deadline.left())
        limits = self._calls.http.limits
        # Half of what is left at most: one silent answer must not take all of it.
        hurried = replace(limits, tries=1, read=min(limits.read, max(_SHORTEST_READ, left / 2)))
        quick = TenantPortal(_Calls(self._calls.http.limited(hurried)), self.tenant)
        quick._finds_services = self._finds_services
        return quick

    def services(self) -> tuple[Service, ...]:
        """Every service of the tenant."""
        reply = self._calls.read(self._v2("GetReplicationControllers"))
        return self._calls.decode(reply, "the list of services", wire.services)

    def service(self, name: str) -> Service | None:
        """One service, None when there is no such; old portals are asked for the whole list."""
        if self._finds_services:
            reply = self._calls.read(self._v3("replicationcontroller", name), final=_NO_FIND_ROUTE)
            if reply.status not in _NO_FIND_ROUTE:
                return self._calls.decode(reply, f"the service {name}", wire.service)
            self._finds_services = False
        return next((service for service in self.services() if service.name == name), None)

    def pods(self) -> tuple[Pod, ...]:
        """Every pod of the tenant but those of jobs."""
        return self._calls.decode(
            self._calls.read(self._v2("GetPods")), "the list of pods", wire.pods
        )

    def faults(self) -> tuple[Fault, ...]:
        """Every fault the platform knows in the tenant, old ones included."""
        reply = self._calls.read(self._v2("GetFaultsByTenant"))
        return self._calls.decode(reply, "the list of faults", wire.faults)

    def log_tail(self, pod: Pod, docker_id: str) -> tuple[str, ...]:
        """The last lines a container wrote; none when the portal cannot tell."""
        body = {"HostName": pod.host, "DockerId": docker_id, "Tail": _LOG_LINES}
        try:
            reply = self._calls.http.once("POST", self._v2("findContainerLogs"), body)
            return wire.log_lines(reply.json()) if reply.ok else ()
        except (Unreachable, ValueError) as trouble:
            log.debug("no log of %s: %s", pod.name, trouble)
            return ()

    def change_images(self, service: Service, images: Mapping[str, str]) -> None:
        """Give containers of `service` new images, by container name.

        The service must exist: only then does a 404 mean that the newer route is missing.
        Raises `Unreachable` when it is unknown whether the portal acted.
        """
        body = [
            {"ContainerName": container or wire.MAIN_CONTAINER, "ImageName": image}
            for container, image in images.items()
        ]
        path = self._v3("containers", "replicationController", service.name, "containerimage")
        reply = self._calls.http.once("PUT", path, body)
        if self._lacks_route(reply, service):
            log.debug("no containerimage route here; using ReplicationControllerChange")
            self._change_image_v2(service, images)
        else:
            self._calls.check_done(reply, f"the change of {service.name}")

    def restart(self, service: Service) -> None:
        """Restart the pods of `service`, rolling."""
        path = self._v2("ReplicationControllerReboot", service.name)
        reply = self._calls.http.once("POST", path, {})
        self._calls.check_done(reply, f"the restart of {service.name}")

    def _change_image_v2(self, service: Service, images: Mapping[str, str]) -> None:
        if set(images) != {MAIN}:
            raise Refused(
                f"This portal is too old to change other containers of {service.name} than the "
                "main one.",
                "Ask for an upgrade of the portal.",
            )
        # An absent AllocationTags is wiped and absent switches fall back to their defaults.
        body = {
            "Name": service.name,
            "Image": images[MAIN],
            "AllocationTags": service.allocation_tags,
            "AgentPlatform": service.platform,
            **service.flags,
        }
        if service.platform < 0:
            del body["AgentPlatform"]
        path = self._v2("ReplicationControllerChange")
        reply = self._calls.http.once("POST", path, body)
        self._calls.check_done(reply, f"the change of {service.name}")

    def _lacks_route(self, reply: Reply, service: Service) -> bool:
        if reply.status in _NO_ROUTE:
            return True
        # Unproven for native docker: an error there may mean that the route cannot serve it.
        return (
            service.native_docker
            and (reply.status == 500 or "not found" in said.message(reply).lower())
            and not reply.ok
        )

    def _v2(self, *parts: str) -> str:
        return _path("subscriptions", self.tenant.id, *parts)

    def _v3(self, *parts: str) -> str:
        return _path("v3/subscriptions", self.tenant.id, *parts)


class _Calls:
    """What every call does with its reply."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http
        self.host = urlsplit(http.base).netloc

    def read(self, path: str, final: tuple[int, ...] = ()) -> Reply:
        """A GET, repeated while its failure may pass; 401 raises at once.

        The codes in `final` are answers in their own right and never repeated.
        """

        def transient(reply: Reply) -> bool:
            return reply.status not in final and said.transient(reply)

        reply = self.http.repeatable("GET", path, transient=transient)
        if reply.status == 401:
            raise IdentityError.token_refused(self.host, said.message(reply))
        return reply

    def decode(self, reply: Reply, what: str, read: Callable[[Any], T]) -> T:
        """The typed content of a reply; raises `Refused` when it says no or makes no sense."""
        self.check(reply, what)
        try:
            return read(reply.json())
        except wire.Shapeless as expected:
            raise self._nonsense(what, f"expected {expected}", passing=False) from None
        except ValueError:
            wrong = f'expected JSON, got "{said.excerpt(reply)}"'
            # Cut off, or a gateway's page: that is an outage, and may pass.
            raise self._nonsense(what, wrong, passing=True) from None

    def check_done(self, reply: Reply, what: str) -> None:
        """The same for a call without result, whose good reply is empty or JSON.

        A page in its place is some gateway's: nobody knows then whether the portal acted.
        """
        self.check(reply, what)
        if said.transient(reply):
            wrong = f'expected nothing or JSON, got "{said.excerpt(reply)}"'
            raise self._nonsense(what, wrong, passing=True)

    def check(self, reply: Reply, what: str) -> None:
        """Raise the error that a refusing reply deserves."""
        if reply.ok:
            return
        if reply.status == 401:
            raise IdentityError.token_refused(self.host, said.message(reply))
        raise self._refusal(reply, what)

    def _nonsense(self, what: str, wrong: str, *, passing: bool) -> Refused:
        return Refused(
            f"The portal {self.host} answered nonsense for {what}: {wrong}.",
            "Check that DUPLO_HOST is the portal itself and nothing in between.",
            passing=passing,
        )

    def _refusal(self, reply: Reply, what: str) -> PlatformError:
        if 300 <= reply.status < 400:
            target = urlsplit(reply.headers.get("Location", "")).netloc or "another address"
            return Refused(
                f"{self.host} sends us on to {target} for {what}; the token does not go there.",
                "Give the portal's own address as DUPLO_HOST.",
                acted=True,
            )
        message = said.message(reply)
        because = f': "{message}"' if message else ""
        if reply.status == 403:
            return Refused(
                f"The token may not do this: {what} was refused{because}.",
                "Give the service account of DUPLO_TOKEN write access to the tenant.",
            )
        return Refused(
            f"The portal {self.host} answered {reply.status} for {what}{because}.",
            "Try again; if it stays, show this line to whoever runs the portal.",
            passing=said.transient(reply),
        )


def _path(prefix: str, *parts: str) -> str:
    """Join parts to a path; what came from people or from the portal is escaped.

    Raises `Refused` for what no escaping keeps from meaning another folder.
    """
    if any(part in _NO_NAMES for part in parts):
        raise Refused("The portal gave an empty or dotted name for something that has a name.")
    return "/".join([prefix, *(quote(part, safe="") for part in parts)])
