"""The events of Kubernetes: what its parts report about pods and what made them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.sandbox.behaviour import Complaint, Step
from tests.sandbox.kubernetes.names import namespace_of, pod_uid, uid_of
from tests.sandbox.stamp import guid, second, stamp, suffix

if TYPE_CHECKING:
    from tests.sandbox.pods import Pod
    from tests.sandbox.world import World

_REASONS = (
    (r"(Readiness|Liveness) probe ", "Unhealthy"),
    (r"Back-off ", "BackOff"),
    (r"Failed to apply default image tag ", "InspectFailed"),
    (r"\d+/\d+ nodes are available", "FailedScheduling"),
    (r"MountVolume", "FailedMount"),
    (r"Error creating: ", "FailedCreate"),
    (r"Pod ephemeral local storage|The node was low on ", "Evicted"),
)
"""The reason that goes with a message; all others are of reason Failed."""
_NORMAL = re.compile("Back-off pulling image ")
"""The kubelet reports it as normal, although the portal shows it as a fault."""
_MOST = 25
"""After that many the kubelet reports the same event of an object no more."""
_PROBE_SECONDS = 1.0
Subject = tuple[str, str, str]
"""The tenant's id, and the kind and name of what an event is about."""

_SCHEDULER = ("Scheduled", "FailedScheduling")
"""Reported through the newer API: without first and last moment and without count."""


@dataclass
class Event:
    """Something that was reported `count` times, first and last in monotonic seconds.

    With `repeated_by` it is reported every second for as long as that pod stays in its state.
    """

    tenant_id: str
    kind: str
    name: str
    reason: str
    message: str
    warning: bool
    first: float
    last: float
    count: int = 1
    container: str = ""
    pod_uid: str = ""
    repeated_by: tuple[Pod, Step] | None = None

    def settle(self, now: float) -> None:
        """Count what was repeated until now."""
        if self.repeated_by is None:
            return
        times = min(_MOST, 1 + int((now - self.first) / _PROBE_SECONDS))
        if times > self.count:
            self.count, self.last = times, self.first + (times - 1) * _PROBE_SECONDS


class Events:
    """All events of a world, none unless its API server can be asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._listed: dict[tuple[str, ...], Event] = {}

    def of_tenant(self, tenant_id: str) -> list[Event]:
        """Return a tenant's events, oldest first, counted up to the present moment."""
        own = [event for event in self._listed.values() if event.tenant_id == tenant_id]
        for event in own:
            event.settle(self._world.at)
        return own

    # What is reported

    def created(self, pod: Pod) -> None:
        """Report that a controller created a pod."""
        self._of_controller(pod, "SuccessfulCreate", "Created", "create")

    def stepped(self, pod: Pod, before: Step) -> None:
        """Report what the scheduler and the kubelet did with a pod."""
        self._end_repetition(pod)
        now = pod.step
        if now.scheduled and not before.scheduled and now.phase != "Failed":
            words = f"Successfully assigned {namespace_of(pod.account)}/{pod.name} to {pod.host}"
            self._of_pod(pod, "Scheduled", words)
        is_first = now.started and not before.started
        if is_first or now.restarts > before.restarts:
            for container, image in self._started_with(pod, is_first=is_first):
                words = f'Container image "{image}" already present on machine'
                self._of_pod(pod, "Pulled", words, container)
                self._of_pod(pod, "Created", f"Created container {container}", container)
                self._of_pod(pod, "Started", f"Started container {container}", container)

    def complained(self, pod: Pod, complaint: Complaint, message: str) -> None:
        """Report what is wrong with a pod."""
        reason = reason_of(message)
        warning = not _NORMAL.match(message)
        place = "" if reason in ("FailedScheduling", "FailedMount", "Evicted") else pod.decisive
        event = self._of_pod(pod, reason, message, place, warning=warning)
        repeats = reason == "Unhealthy" and not pod.leaving and complaint in pod.step.complaints
        if event and repeats:
            event.repeated_by = pod, pod.step

    def left(self, pod: Pod) -> None:
        """Report that a pod was deleted."""
        self._end_repetition(pod)
        self._of_controller(pod, "SuccessfulDelete", "Deleted", "delete")
        for container, _ in pod.template.containers:
            if pod.step.started:
                self._of_pod(pod, "Killing", f"Stopping container {container}", container)

    def scaled(self, tenant_id: str, deployment: str, name: str, before: int, now: int) -> None:
        """Report that a Deployment changed the size of a ReplicaSet."""
        direction = "up" if now > before else "down"
        words = f"Scaled {direction} replica set {name} to {now}"
        self._report((tenant_id, "Deployment", deployment), "ScalingReplicaSet", words)

    def refused(self, tenant_id: str, replica_set: str, message: str) -> None:
        """Report that a ReplicaSet could not create a pod."""
        subject = (tenant_id, "ReplicaSet", replica_set)
        self._report(subject, "FailedCreate", message, warning=True)

    def _of_controller(self, pod: Pod, reason: str, done: str, doing: str) -> None:
        if pod.controller is None:
            return
        kind = pod.controller["QualifiedType"].rpartition("/")[2]
        owner = pod.controller["NativeId"]
        message = f"{done} pod: {pod.name}"
        if kind == "StatefulSet":
            message = f"{doing} Pod {pod.name} in StatefulSet {owner} successful"
        self._report((pod.tenant_id, kind, owner), reason, message)

    def _of_pod(
        self, pod: Pod, reason: str, message: str, container: str = "", *, warning: bool = False
    ) -> Event | None:
        subject = (pod.tenant_id, "Pod", pod.name)
        uid = pod_uid(pod)
        return self._report(subject, reason, message, container, warning=warning, uid=uid)

    def _report(
        self,
        subject: Subject,
        reason: str,
        message: str,
        container: str = "",
        *,
        warning: bool = False,
        uid: str = "",
    ) -> Event | None:
        if not self._world.kubernetes.enabled:
            return None
        at = self._world.at
        key = (*subject, uid, reason, message, container)
        if known := self._listed.get(key):
            known.last, known.count = at, known.count + 1
            return known
        event = Event(*subject, reason, message, warning, at, at, 1, container, uid)
        self._listed[key] = event
        return event

    def _started_with(self, pod: Pod, *, is_first: bool) -> list[tuple[str, str]]:
        template = pod.template
        every = [*template.inits, *template.containers]
        if not is_first or pod.decisive in dict(template.inits):
            return [(name, image) for name, image in every if name == pod.decisive]
        return every

    def _end_repetition(self, pod: Pod) -> None:
        for event in self._listed.values():
            if event.repeated_by and event.repeated_by[0] is pod:
                event.settle(self._world.at)
                event.repeated_by = None


def reason_of(message: str) -> str:
    """Return the reason under which Kubernetes reports a message about something wrong."""
    found = (reason for pattern, reason in _REASONS if re.match(pattern, message))
    return next(found, "Failed")


def event_object(event: Event, namespace: str, world: World) -> dict[str, Any]:
    """Return an event as the core API shows it."""
    first, last = world.date_of(event.first), world.date_of(event.last)
    identity = f"{event.kind}/{event.name}/{event.reason}/{event.message}/{event.container}"
    subject = {
        "kind": event.kind,
        "namespace": namespace,
        "name": event.name,
        "uid": event.pod_uid or uid_of(namespace, event.kind, event.name),
        "apiVersion": "v1" if event.kind == "Pod" else "apps/v1",
    }
    if event.container:
        subject["fieldPath"] = f"spec.containers{{{event.container}}}"
    body: dict[str, Any] = {
        "metadata": {
            "name": f"{event.name}.{suffix(identity, 16)}",
            "namespace": namespace,
            "uid": guid(f"{namespace}/{identity}"),
            "creationTimestamp": second(first),
        },
        "involvedObject": subject,
        "reason": event.reason,
        "message": event.message,
        "type": "Warning" if event.warning else "Normal",
        "reportingInstance": "",
    }
    if event.reason in _SCHEDULER:
        return body | {
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": stamp(first),
            "action": "Binding" if event.reason == "Scheduled" else "Scheduling",
            "reportingComponent": "default-scheduler",
        }
    return body | {
        "source": {"component": "kubelet" if event.kind == "Pod" else "controller"},
        "firstTimestamp": second(first),
        "lastTimestamp": second(last),
        "count": event.count,
        "eventTime": None,
        "reportingComponent": "",
    }
