"""The portal over a cluster: the routes that the pipe uses, answered from its API."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from tests.kubernetes import portal_view
from tests.kubernetes.portal_view import Variant
from tests.live.access import Access
from tests.live.cluster import ApiError, Cluster
from tests.live.jobs import Jobs, add_jobs
from tests.live.services import MAIN_CONTAINER, Services, UnknownNameError
from tests.sandbox.access import Tenant, Token
from tests.sandbox.replies import answer, refusal
from tests.sandbox.routes import V2, V3

Json = dict[str, Any]

_CONTAINERS = f"{V3}/containers/replicationController/<name>"


class Portal:
    """One tenant, whose services are the workloads of one namespace."""

    def __init__(
        self, cluster: Cluster, namespace: str, tenant: Tenant, token: Token, variant: Variant
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.tenant = tenant
        self.token = token
        self.variant = variant
        self.services = Services(cluster, namespace, tenant.id, variant)
        self.access = Access(cluster, namespace)
        self.slowest = 0.0
        """The longest that an answer took, in seconds; the pipe pauses longer after slow ones."""
        self._calls: dict[str, list[Call]] = defaultdict(list)

    def app(self) -> Flask:
        """Return the portal as a web application."""
        app = Flask("portal", static_folder=None)
        app.before_request(self._refuse)
        app.after_request(self._timed)
        app.register_error_handler(HTTPException, _without_text)
        app.register_error_handler(UnknownNameError, _unknown)
        app.register_error_handler(ApiError, _refused_by_cluster)
        _add_tenants(app, self)
        _add_services(app, self)
        _add_pods(app, self)
        add_jobs(app, Jobs(self.cluster, self.namespace, self.tenant))
        _add_access(app, self)
        return app

    def token_for(self, run: str, access: str) -> str:
        """Return a token for one run, which gets this access to Kubernetes."""
        return f"{self.token.value}.{access}.{run}"

    def calls(self, run: str) -> list[Call]:
        """Return the requests of one run, in order."""
        return sorted(self._calls[run], key=lambda call: call.began)

    def pods(self) -> list[Json]:
        """Return the tenant's pods as the cluster describes them."""
        return self.cluster.items(f"/api/v1/namespaces/{self.namespace}/pods")

    def events(self) -> list[Json]:
        """Return the tenant's events, oldest first."""
        return self.cluster.items(f"/api/v1/namespaces/{self.namespace}/events")

    def log(self, docker_id: str, tail: int) -> str | None:
        """Return the last lines of a container, None when the portal has no log of it.

        It reads the containers of the pods that it lists.
        """
        for pod in filter(portal_view.is_listed, self.pods()):
            status = pod.get("status") or {}
            for key in ("containerStatuses", "initContainerStatuses"):
                for container in status.get(key) or ():
                    if docker_id and (container.get("containerID") or "").endswith(docker_id):
                        return self._log(pod["metadata"]["name"], container["name"], tail)
        return None

    def _log(self, pod: str, container: str, tail: int) -> str | None:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        try:
            return str(self.cluster.get(path, container=container, tailLines=str(tail)))
        except ApiError:
            return None

    def _timed(self, response: Response) -> Response:
        ended = time.monotonic()
        self.slowest = max(self.slowest, ended - g.started)
        self._calls[g.get("run", "")].append(Call(request.path, g.started, ended))
        return response

    def _refuse(self) -> Response | None:
        g.started = time.monotonic()
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        value, _, rest = sent.partition(".")
        g.access, _, g.run = rest.partition(".")
        if value != self.token.value:
            return refusal(401, "Authorization has been denied for this request.")
        tid = (request.view_args or {}).get("tid", self.tenant.id)
        if tid != self.tenant.id:
            return refusal(403, f"User {self.token.user} has no access to tenant {tid}")
        return None


@dataclass(frozen=True)
class Call:
    """A request to the portal, in monotonic seconds."""

    path: str
    began: float
    ended: float


def _add_access(app: Flask, portal: Portal) -> None:
    @app.get(f"{V3}/k8s/jitAccess")
    def access(tid: str) -> Response:
        return answer(portal.access.issue(g.access))


def _add_tenants(app: Flask, portal: Portal) -> None:
    @app.get("/admin/GetTenantsForUser")
    @app.get("/adminproxy/GetTenantNames")
    def tenants() -> Response:
        return answer([portal.tenant.body()])

    @app.get("/admin/GetUserRoleInfo")
    def role_info() -> Response:
        return answer(portal.token.role_info())

    @app.get("/v3/features/tenant/<tid>")
    def features(tid: str) -> Response:
        return answer(portal.tenant.features())


def _add_services(app: Flask, portal: Portal) -> None:
    services, user = portal.services, portal.token.user

    @app.get(f"{V2}/GetReplicationControllers")
    def every_service(tid: str) -> Response:
        return answer(services.all())

    @app.get(f"{V3}/replicationcontroller/<name>")
    def one_service(tid: str, name: str) -> Response:
        return answer(services.find(name))

    @app.put(f"{_CONTAINERS}/containerimage")
    def container_images(tid: str, name: str) -> Response:
        sent = request.get_json(force=True)
        images = {entry["ContainerName"]: entry["ImageName"] for entry in sent}
        services.set_images(name, images, user)
        return _void()

    @app.post(f"{V2}/ReplicationControllerChange")
    def change(tid: str) -> Response:
        sent = request.get_json(force=True)
        if images := _images_of_change(sent):
            services.set_images(sent["Name"], images, user, _environments_of_change(sent))
        if isinstance(sent.get("Replicas"), int):
            services.scale(sent["Name"], sent["Replicas"])
        return _void()

    @app.put(f"{_CONTAINERS}/rollback")
    def rollback(tid: str, name: str) -> Response:
        history = services.history(name)
        if len(history) < 2:
            return refusal(400, f"Service {name} has no image history to go back to")
        services.set_images(name, _images_of_record(history[-2]), user)
        return _void()

    @app.post(f"{V2}/ReplicationControllerReboot/<name>")
    def reboot(tid: str, name: str) -> Response:
        services.restart(name)
        return _void()


def _add_pods(app: Flask, portal: Portal) -> None:
    @app.get(f"{V2}/GetPods")
    def pods(tid: str) -> Response:
        return answer(portal_view.pod_list(portal.pods(), portal.variant))

    @app.get(f"{V2}/GetFaultsByTenant")
    def faults(tid: str) -> Response:
        names = [service["Name"] for service in portal.services.all()]
        return answer(portal_view.fault_list(portal.events(), names, portal.variant))

    @app.post(f"{V2}/findContainerLogs")
    def logs(tid: str) -> Response:
        sent = request.get_json(force=True)
        text = portal.log(str(sent.get("DockerId") or ""), int(sent.get("Tail") or 50))
        return answer({**sent, "Stdout": True, "Stderr": True, "Data": text})

    @app.get(f"{V2}/GetLbDetailsInService/<name>")
    def load_balancer(tid: str, name: str) -> Response:
        return answer(None)


def _images_of_change(change: Mapping[str, Any]) -> dict[str, str]:
    """Return the images in a change by the older route, by container."""
    images = {MAIN_CONTAINER: change["Image"]} if change.get("Image") else {}
    config = json.loads(change.get("OtherDockerConfig") or "{}")
    for section in ("additionalContainers", "initContainers"):
        images |= {entry["name"]: entry["image"] for entry in config.get(section) or ()}
    return images


def _environments_of_change(change: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the main container's variables in a change, if it replaces them."""
    config = json.loads(change.get("OtherDockerConfig") or "{}")
    if config.get("Env") is None:
        return {}
    return {MAIN_CONTAINER: {one["Name"]: one["Value"] for one in config["Env"]}}


def _images_of_record(record: Mapping[str, Any]) -> dict[str, str]:
    others = [*record["InitContainerImages"], *record["AdditionalContainerImages"]]
    return {
        MAIN_CONTAINER: record["Image"],
        **{one["ContainerName"]: one["ImageName"] for one in others},
    }


def _void() -> Response:
    return Response("", 204)


def _without_text(problem: HTTPException) -> Response:
    """Return an empty body, as the portal does for a route that it does not have."""
    return Response("", problem.code or 500)


def _unknown(problem: UnknownNameError) -> Response:
    return refusal(400, f"{problem} does not exist")


def _refused_by_cluster(problem: ApiError) -> Response:
    return refusal(400, str(problem))
