"""What the pipe reads of Kubernetes' objects; their JSON ends here.

Only what a rollout is judged by is kept. Every field may be missing: what is absent in a status
is 0 in Kubernetes' own clients as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from sys import intern
from typing import Any

from pipe.model import MAIN
from pipe.portal import Container, Phase, Pod, Termination
from pipe.portal.fields import (
    UnexpectedShape,
    count,
    is_integer,
    items,
    moment,
    nested,
    objects,
    prose,
    required_object,
    text,
)

GAVE_UP = "ProgressDeadlineExceeded"
_MOST_ITEMS = 50_000
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


class WorkloadKind(StrEnum):
    """What runs the pods of a service."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"

    @property
    def plural(self) -> str:
        """The resource's name in the API."""
        return f"{self.lower()}s"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a workload; `updated` tells two moments of the same condition apart."""

    type: str
    status: str
    reason: str
    message: str
    updated: str = ""


@dataclass(frozen=True)
class Workload:
    """A Deployment, StatefulSet or DaemonSet with its own status.

    `generation` counts changes of its specification, `observed` is the last one its controller has
    acted on. `images` are those of the template by container. `wanted` pods are to be there and
    `total` are, of whatever revision; `updated` of them have the template's, and `outdated_stay` is
    how many are meant to keep an older one (a partition). `selector` are the labels of its pods,
    empty if they cannot be given as a list of labels. `uid` changes if it is made anew.
    """

    kind: WorkloadKind
    name: str
    generation: int
    observed: int
    images: Mapping[str, str]
    wanted: int
    total: int
    updated: int
    ready: int
    available: int
    outdated_stay: int = 0
    is_paused: bool = False
    conditions: tuple[Condition, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    uid: str = ""

    @property
    def is_observed(self) -> bool:
        """Whether the status is about the present specification."""
        return self.observed >= self.generation

    @property
    def is_available(self) -> bool:
        """Whether the wanted pods have the template's revision and are available, and no others.

        The rules are those of `kubectl rollout status`, for a number of pods that may change.
        """
        is_updated = self.updated >= self.wanted - self.outdated_stay
        is_alone = self.total <= self.wanted
        return self.is_observed and is_updated and is_alone and self.available >= self.wanted

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of this type, if there is one."""
        return next((one for one in self.conditions if one.type == kind), None)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that Kubernetes reported about an object, `count` times."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    count: int
    warning: bool
    first: datetime | None
    last: datetime | None


def entries(body: Any) -> Iterator[dict[str, Any]]:
    """Return the objects of a list; raise `UnexpectedShape` for anything else."""
    listed = required_object(body).get("items")
    if listed is not None and not isinstance(listed, list):
        raise UnexpectedShape("a list of objects")
    if listed and len(listed) > _MOST_ITEMS:
        raise UnexpectedShape(f"at most {_MOST_ITEMS:,} objects")
    return items(listed)


def is_allowed(body: Any) -> bool:
    """Decode a SelfSubjectAccessReview."""
    return nested(required_object(body), "status").get("allowed") is True


def revision_of(item: Mapping[str, Any]) -> str:
    """Return what changes whenever an object does, empty where that is not shown."""
    metadata = nested(item, "metadata")
    uid, version = text(metadata, "uid"), text(metadata, "resourceVersion")
    return f"{uid}/{version}" if uid and version else ""


def decode_workload(item: Mapping[str, Any], kind: WorkloadKind) -> Workload:
    """Decode a Deployment, StatefulSet or DaemonSet."""
    metadata, spec, status = (nested(item, key) for key in ("metadata", "spec", "status"))
    name = text(metadata, "name")
    return Workload(
        kind=kind,
        name=name,
        generation=count(metadata, "generation") or 0,
        observed=count(status, "observedGeneration") or 0,
        images=_template_images(name, nested(nested(spec, "template"), "spec")),
        is_paused=spec.get("paused") is True,
        conditions=tuple(_condition(entry) for entry in objects(status, "conditions")),
        selector=_selector(nested(spec, "selector")),
        uid=text(metadata, "uid"),
        **_numbers(kind, spec, status),
    )


def _numbers(
    kind: WorkloadKind, spec: Mapping[str, Any], status: Mapping[str, Any]
) -> dict[str, int]:
    def number(key: str) -> int:
        return count(status, key) or 0

    if kind is WorkloadKind.DAEMON_SET:
        return {
            "wanted": number("desiredNumberScheduled"),
            "total": number("currentNumberScheduled"),
            "updated": number("updatedNumberScheduled"),
            "ready": number("numberReady"),
            "available": number("numberAvailable"),
        }
    replicas = count(spec, "replicas")
    ready = number("readyReplicas")
    # A StatefulSet reports `availableReplicas` from Kubernetes 1.22 on; before, they were ready.
    is_ready_enough = kind is WorkloadKind.STATEFUL_SET and "availableReplicas" not in status
    rolling = nested(nested(spec, "updateStrategy"), "rollingUpdate")
    return {
        "wanted": 1 if replicas is None else replicas,
        "total": number("replicas"),
        "updated": number("updatedReplicas"),
        "ready": ready,
        "available": ready if is_ready_enough else number("availableReplicas"),
        "outdated_stay": (count(rolling, "partition") or 0)
        if kind is WorkloadKind.STATEFUL_SET
        else 0,
    }


def _template_images(name: str, pod: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the images by container; the main one bears the service's name, or is the first."""
    main = [*objects(pod, "containers")]
    named = next((one for one in main if text(one, "name") == name), main[0] if main else None)
    return {
        MAIN if one is named else text(one, "name"): text(one, "image")
        for one in (*main, *objects(pod, "initContainers"))
    }


def _condition(item: Mapping[str, Any]) -> Condition:
    return Condition(
        text(item, "type"),
        text(item, "status"),
        text(item, "reason"),
        prose(item, "message"),
        text(item, "lastUpdateTime") or text(item, "lastTransitionTime"),
    )


def _selector(selector: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    labels = nested(selector, "matchLabels")
    if selector.get("matchExpressions") or not all(isinstance(v, str) for v in labels.values()):
        return ()
    return tuple(sorted(labels.items()))


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


def decode_event(item: Mapping[str, Any]) -> Event:
    """Decode an event; newer components count repetitions in a `series`."""
    subject, series = nested(item, "involvedObject"), nested(item, "series")
    first = moment(item, "firstTimestamp") or moment(item, "eventTime")
    last = moment(series, "lastObservedTime") or moment(item, "lastTimestamp") or first
    return Event(
        kind=text(subject, "kind"),
        name=text(subject, "name"),
        uid=text(subject, "uid"),
        reason=prose(item, "reason"),
        # A probe without output leaves the colon at the end.
        message=prose(item, "message").strip().removesuffix(":"),
        count=max(1, count(item, "count") or count(series, "count") or 1),
        warning=text(item, "type") == "Warning",
        first=first or last,
        last=last,
    )
