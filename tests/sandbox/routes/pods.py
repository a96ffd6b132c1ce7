"""Pods, their logs, and faults."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response

from tests.sandbox.current import current_tenant, current_world, sent_object
from tests.sandbox.pods import Pod
from tests.sandbox.replies import answer, encoded, listing, unknown
from tests.sandbox.routes import V2

routes = Blueprint("pods", __name__)


@routes.get(f"{V2}/GetPods")
def pods(tid: str) -> Response:
    listed = ", ".join(pod.text() for pod in current_world().listed_pods(current_tenant()))
    return encoded(f"[{listed}]") if listed else listing([])


@routes.get(f"{V2}/GetFaultsByTenant")
def faults(tid: str) -> Response:
    return listing([fault.body() for fault in current_world().faults.of_tenant(tid.lower())])


@routes.post(f"{V2}/findContainerLogs")
def logs(tid: str) -> Response:
    sent = sent_object()
    match = _container(sent)
    if match is None:
        return unknown(f"Container {sent.get('DockerId')}")
    pod, container = match
    reply = {
        "HostName": sent.get("HostName"),
        "DockerId": sent.get("DockerId"),
        "Tail": sent.get("Tail"),
        "Stdout": True,
        "Stderr": True,
    }
    return answer(reply | _lines(pod, container, sent.get("Tail")))


@routes.post(f"{V2}/FindContainerState")
def state(tid: str) -> Response:
    sent = sent_object()
    match = _container(sent)
    if match is None:
        return unknown(f"Container {sent.get('DockerId')}")
    return answer({**sent, "JsonStatus": json.dumps(match[0].step.state)})


def _container(sent: dict[str, Any]) -> tuple[Pod, str] | None:
    """Return the pod and container that the request names by host and id."""
    for pod in current_world().listed_pods(current_tenant()):
        container = pod.owns(str(sent.get("DockerId") or ""))
        if container is not None and pod.host == sent.get("HostName"):
            return pod, container
    return None


def _lines(pod: Pod, container: str, tail: Any) -> dict[str, Any]:
    """Return `Data`, which is null or missing when nothing has run."""
    if pod.world.jobs.loses_log(pod):
        return {}
    if not pod.step.started:
        return {} if pod.step.phase == "Pending" else {"Data": None}
    lines = pod.log(container)
    if isinstance(tail, int) and tail >= 0:
        lines = lines[len(lines) - min(tail, len(lines)) :]
    return {"Data": "".join(f"{line}\n" for line in lines)}
