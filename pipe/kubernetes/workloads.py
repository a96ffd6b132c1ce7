"""Deployments, StatefulSets and DaemonSets with their own status.

What is absent in a status is 0, as in Kubernetes' own clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipe.model import MAIN
from pipe.portal.fields import count, nested, objects, prose, text

GAVE_UP = "ProgressDeadlineExceeded"


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
