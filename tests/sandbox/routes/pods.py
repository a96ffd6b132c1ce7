"""Pods, their logs, and faults."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, g, request

from tests.sandbox.behaviour import PENDING
from tests.sandbox.pods import Pod
from tests.sandbox.replies import answer, encoded, listing, unknown
from tests.sandbox.routes.services import V2
from tests.sandbox.world import World


def pod_routes(world: World) -> Blueprint:
    """What a client asks to follow a rollout."""
    routes = Blueprint("pods", __name__)

    @routes.get(f"{V2}/GetPods")
    def pods(tid: str) -> Response:
        listed = ", ".join(pod.text() for pod in world.pods_of(g.tenant))
        return encoded(f"[{listed}]") if listed else listing(world, [])

    @routes.get(f"{V2}/GetFaultsByTenant")
    def faults(tid: str) -> Response:
        return listing(world, [fault.body() for fault in world.faults.of_tenant(tid.lower())])

    @routes.post(f"{V2}/findContainerLogs")
    def logs(tid: str) -> Response:
        asked = request.get_json(silent=True, force=True) or {}
        found = _container(world, asked)
        if found is None:
            return unknown(world, f"Container {asked.get('DockerId')}")
        pod, container = found
        reply = {
            "HostName": asked.get("HostName"),
            "DockerId": asked.get("DockerId"),
            "Tail": asked.get("Tail"),
            "Stdout": True,
            "Stderr": True,
        }
        return answer(reply | _lines(pod, container, asked.get("Tail")))

    @routes.post(f"{V2}/FindContainerState")
    def state(tid: str) -> Response:
        asked = request.get_json(silent=True, force=True) or {}
        found = _container(world, asked)
        if found is None:
            return unknown(world, f"Container {asked.get('DockerId')}")
        return answer({**asked, "JsonStatus": json.dumps(found[0].step.state)})

    return routes


def _container(world: World, asked: dict[str, Any]) -> tuple[Pod, str] | None:
    """The pod and container that the request names by host and id."""
    for pod in world.pods_of(g.tenant):
        container = pod.owns(str(asked.get("DockerId") or ""))
        if container is not None and pod.host == asked.get("HostName"):
            return pod, container
    return None


def _lines(pod: Pod, container: str, tail: Any) -> dict[str, Any]:
    """`Data`, which is null or not even there when nothing has run."""
    if not pod.step.started:
        return {} if pod.step.status == PENDING else {"Data": None}
    lines = pod.log(container)
    if isinstance(tail, int) and tail >= 0:
        lines = lines[len(lines) - min(tail, len(lines)) :]
    return {"Data": "".join(f"{line}\n" for line in lines)}
