"""Pods, as the portal's pods with readiness and the last terminations."""

from __future__ import annotations

from collections.abc import Mapping
from sys import intern
from typing import Any

from pipe.kubernetes.objects import revision_of
from pipe.portal import Container, Phase, Pod, Termination
from pipe.portal.fields import count, is_integer, nested, objects, prose, text

_PHASES = {
    "Pending": Phase.PENDING,
    "Running": Phase.RUNNING,
    "Succeeded": Phase.SUCCEEDED,
    "Failed": Phase.FAILED,
}
_PULL_REASONS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
_WAITING_REASONS = (
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)


def decode_pod(item: Mapping[str, Any]) -> Pod:
    """Decode a pod into what the portal's pods are, with readiness and the last terminations.

    Its images are those that it was made with: what the kubelet shows may be other names of them.
    """
    metadata, spec, status = (nested(item, key) for key in ("metadata", "spec", "status"))
    controller = _controller(metadata)
    kind, ready = text(controller, "kind"), _pod_condition(status, "Ready")
    return Pod(
        name=text(metadata, "name"),
        owner="",
        phase=_phase(status),
        desired=Phase.DELETE if text(metadata, "deletionTimestamp") else Phase.RUNNING,
        host=intern(text(spec, "nodeName")),
        controller=intern(text(controller, "name")),
        controller_kind=intern(f"{text(controller, 'apiVersion') or 'apps/v1'}/{kind}")
        if kind
        else "",
        containers=_containers(spec, status, "containers", "containerStatuses"),
        init_containers=_containers(spec, status, "initContainers", "initContainerStatuses"),
        ready=ready.get("status") == "True",
        ready_since=text(ready, "lastTransitionTime"),
        message=_message(status),
        uid=text(metadata, "uid"),
        revision=revision_of(item),
    )


def _controller(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    owners = [*objects(metadata, "ownerReferences")]
    return next(
        (one for one in owners if one.get("controller") is True), owners[0] if owners else {}
    )


def _phase(status: Mapping[str, Any]) -> Phase:
    """Return the phase as the portal would name it."""
    phase = _PHASES.get(text(status, "phase"), Phase.UNKNOWN)
    if text(status, "reason") == "Evicted":
        return Phase.EVICTED
    if phase not in (Phase.PENDING, Phase.RUNNING):
        return phase
    scheduled = _pod_condition(status, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return Phase.SCHEDULING_FAILED
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in objects(status, key):
            reason = text(nested(nested(container, "state"), "waiting"), "reason")
            if reason in _PULL_REASONS:
                return Phase.IMAGE_NOT_FOUND
            if reason in _WAITING_REASONS:
                return Phase.WAITING
    return phase


def _message(status: Mapping[str, Any]) -> str:
    if message := prose(status, "message"):
        return message
    scheduled = _pod_condition(status, "PodScheduled")
    return prose(scheduled, "message") if scheduled.get("status") == "False" else ""


def _pod_condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((one for one in objects(status, "conditions") if text(one, "type") == kind), {})


def _containers(
    spec: Mapping[str, Any], status: Mapping[str, Any], key: str, status_key: str
) -> tuple[Container, ...]:
    shown = {text(entry, "name"): entry for entry in objects(status, status_key)}
    return tuple(
        _container(entry, shown.get(text(entry, "name"), {})) for entry in objects(spec, key)
    )


def _container(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Container:
    state = nested(status, "state")
    waiting, ended = nested(state, "waiting"), _termination(nested(state, "terminated"))
    return Container(
        name=intern(text(spec, "name")),
        image=intern(text(spec, "image")),
        docker_id=text(status, "containerID").rpartition("//")[2],
        restarts=count(status, "restartCount") or 0,
        waiting=prose(waiting, "reason"),
        message=prose(waiting, "message") or (ended.message if ended else ""),
        exit_code=ended.exit_code if ended else None,
        ended=ended.reason if ended else "",
        running=isinstance(state.get("running"), dict),
        last=ended or _termination(nested(nested(status, "lastState"), "terminated")),
    )


def _termination(state: Mapping[str, Any]) -> Termination | None:
    if not state:
        return None
    code = state.get("exitCode")
    return Termination(
        prose(state, "reason") or "Error",
        code if is_integer(code) else None,
        count(state, "signal") or None,
        prose(state, "message"),
    )
