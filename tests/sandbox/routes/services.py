"""Reading and changing services."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, request

from tests.sandbox.change import apply_change
from tests.sandbox.current import current_tenant, current_token, current_world
from tests.sandbox.replies import answer, listing, refusal, unknown, void
from tests.sandbox.routes import V2, V3
from tests.sandbox.service import MAIN_CONTAINER, Service, UnknownContainerError
from tests.sandbox.service_body import (
    listener_bodies,
    load_balancer_body,
    service_body,
)

CONTAINERS = f"{V3}/containers/replicationController/<name>"
ForService = Callable[[Service], Response]


routes = Blueprint("services", __name__)


def for_service(status: int = 400) -> Callable[[ForService], Callable[..., Response]]:
    """Pass the service to the view, or reply that it does not exist."""

    def decorate(view: ForService) -> Callable[..., Response]:
        @wraps(view)
        def found(tid: str, name: str, **rest: Any) -> Response:
            service = current_world().find_service(current_tenant(), name)
            if service is None:
                return unknown(f"Service {name}", status)
            return view(service, **rest)

        return found

    return decorate


@routes.get(f"{V2}/GetReplicationControllers")
def all_services(tid: str) -> Response:
    return listing([service_body(one) for one in current_world().services_of(current_tenant())])


@routes.get(f"{V3}/replicationcontroller/<name>")
def one_service(tid: str, name: str) -> Response:
    service = current_world().find_service(current_tenant(), name)
    return answer(None if service is None else service_body(service))


@routes.put(f"{CONTAINERS}/containerimage")
@for_service(status=404)
def container_images(service: Service) -> Response:
    body = request.get_json(silent=True, force=True)
    if not isinstance(body, list) or not body:
        return refusal(400, "A list of container images is expected")
    try:
        images = {entry["ContainerName"]: entry["ImageName"] for entry in body}
        service.set_images(images, current_token().user)
    except (KeyError, TypeError):
        return refusal(400, "ContainerName and ImageName are required")
    except UnknownContainerError as missing:
        return refusal(400, f"Container {missing} is not part of service {service.name}")
    return void()


@routes.put(f"{CONTAINERS}/rollback")
@routes.put(f"{CONTAINERS}/rollback/<revision>")
@for_service(status=404)
def rollback(service: Service, revision: str = "") -> Response:
    if not service.keeps_history or len(service.history) < 2:
        return refusal(400, f"Service {service.name} has no image history to go back to")
    # The meaning of a revision is not documented; here it is the position in the history, from 1.
    place = int(revision) - 1 if revision.isdigit() else len(service.history) - 2
    if not 0 <= place < len(service.history):
        return refusal(400, f"Revision {revision} is not in the history")
    record = service.history[place]
    images = itertools.chain(record["InitContainerImages"], record["AdditionalContainerImages"])
    images_wanted = {MAIN_CONTAINER: record["Image"]}
    service.set_images(
        images_wanted | {one["ContainerName"]: one["ImageName"] for one in images},
        current_token().user,
    )
    return void()


@routes.post(f"{V2}/ReplicationControllerChange")
def change(tid: str) -> Response:
    body = request.get_json(silent=True, force=True)
    return _change_all([body])


@routes.post(f"{V2}/ReplicationControllerBulkChange")
@routes.post(f"{V2}/ReplicationControllerBulkChangeAll")
def bulk_change(tid: str) -> Response:
    body = request.get_json(silent=True, force=True)
    return _change_all(body if isinstance(body, list) else [body])


@routes.post(f"{V2}/ReplicationControllerReboot/<name>")
@for_service()
def reboot(service: Service) -> Response:
    service.restart()
    return void()


@routes.post(f"{V2}/ReplicationControllerStop/<name>")
@for_service()
def stop(service: Service) -> Response:
    service.stop()
    return void()


@routes.post(f"{V2}/ReplicationControllerStart/<name>")
@for_service()
def start(service: Service) -> Response:
    service.start()
    return void()


@routes.get(f"{V2}/GetLBConfigurations")
def listeners(tid: str) -> Response:
    services = current_world().services_of(current_tenant())
    return listing([body for one in services for body in listener_bodies(one)])


@routes.get(f"{V2}/GetLbDetailsInService/<name>")
@for_service()
def load_balancer(service: Service) -> Response:
    return answer(load_balancer_body(service))


@routes.get(f"{CONTAINERS}/lbDetails")
@for_service(status=404)
def load_balancer_state(service: Service) -> Response:
    if service.lb is None:
        return refusal(404, f"Service {service.name} has no load balancer")
    return answer({"State": "active"})


def _change_all(bodies: list[Any]) -> Response:
    """Apply v2 changes in order; an unknown name stops the rest."""
    for body in bodies:
        if not isinstance(body, dict):
            return refusal(400, "A change needs a Name")
        change = {key.lower(): value for key, value in body.items()}
        service = current_world().find_service(current_tenant(), str(change.get("name")))
        if service is None:
            return unknown(f"Service {change.get('name')}")
        problem = apply_change(service, change, current_token().user)
        if problem:
            return refusal(400, problem)
    return void()
