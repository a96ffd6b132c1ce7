"""The body that creates a job: a pod's settings, with another command."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipe.portal import environment as env
from pipe.portal.cronjobs import CronJob
from pipe.portal.fields import items, nested, objects, text
from pipe.portal.job_spelling import canonical

_SECONDS_KEPT = 24 * 3600
"""How long Kubernetes keeps a job that ended, should nothing delete it."""
_ORPHAN_SECONDS = 60
"""By how much a pod whose job is gone may outlive the job's limit."""
_ANY_HOST = "duplocloud.net/is-any-host-allowed"
_NO_SIDECARS = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
"""A proxy that a service mesh puts into the pod never ends, and neither would the job."""
_VAULT, _VAULT_FIRST = "vault.hashicorp.com/agent-inject", "vault.hashicorp.com/agent-pre-populate"
_ONCE = {"backoffLimit": 0, "completions": 1, "parallelism": 1}
_NUMBERS = (*_ONCE, "completionMode", "activeDeadlineSeconds")
_NOT_OF_A_JOB = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
_MOST_NAMED = 20


@dataclass(frozen=True)
class JobRequest:
    """What a job runs: `command` in `image`, in a container called `container`.

    Without a command, a CronJob's own job runs. `environment` is added to that of the target,
    from which the variables in `removed` are left out. `seconds` is the time limit.
    """

    name: str
    container: str
    image: str
    command: tuple[str, ...] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    seconds: float
    removed: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobBody:
    """The body that creates the job called `name`.

    `container` is the name of the container to follow, `left_out` names what the target has and
    the job has not.
    """

    name: str
    container: str
    document: Mapping[str, Any] = field(repr=False)
    left_out: tuple[str, ...] = ()


def once(request: JobRequest, template: Mapping[str, Any], left_out: Sequence[str]) -> JobBody:
    """Return a job that starts one pod of a template, and none again should it fail."""
    document = _document(request, dict(_ONCE), template)
    return JobBody(request.name, request.container, document, _bounded(left_out))


def of_cronjob(cronjob: CronJob, request: JobRequest) -> JobBody:
    """Return the own job of a CronJob with another image, or with another command as well.

    Raises `ValueError` with the reason when its environment cannot be read.
    """
    spec = nested(nested(nested(cronjob.document, "spec"), "jobTemplate"), "spec")
    template = copy.deepcopy(nested(spec, "template"))
    containers = list(objects(nested(template, "spec"), "containers"))
    main = next((one for one in containers if text(one, "name") == cronjob.main), {})
    main["image"] = request.image
    main["env"] = environment(env.entries_of(main, "env"), request)
    if request.command:
        left_out = _with_command(template, main, request.command)
        body = once(request, template, left_out)
        body = JobBody(body.name, cronjob.main, body.document, body.left_out)
    else:
        own = {key: spec[key] for key in _NUMBERS if key in spec}
        body = JobBody(request.name, cronjob.main, _document(request, own, template))
    annotations = nested(nested(cronjob.document, "metadata"), "annotations")
    return placed(
        body,
        is_any_host_allowed=annotations.get(_ANY_HOST) == "true",
        allocation_tags=text(cronjob.document, "AllocationTags"),
    )


def placed(body: JobBody, *, is_any_host_allowed: bool, allocation_tags: str) -> JobBody:
    """Return a body with the portal's own fields, which decide on the hosts of the pod."""
    fields = {"IsAnyHostAllowed": is_any_host_allowed, "AllocationTags": allocation_tags}
    return JobBody(body.name, body.container, {**body.document, **fields}, body.left_out)


def environment(entries: Iterable[Any], request: JobRequest) -> list[dict[str, Any]]:
    """Return the variables of a container as Kubernetes accepts them, with those of a request."""
    given = [canonical(entry) for entry in items(list(entries))]
    replaced = request.removed | request.environment.keys()
    kept = {name: _entry(name, one) for one in given if (name := text(one, "name"))}
    added = [{"name": name, "value": literal(value)} for name, value in request.environment.items()]
    return [*(one for name, one in kept.items() if name not in replaced), *added]


def literal(value: str) -> str:
    """Return a text that Kubernetes leaves as it is: it replaces `$(NAME)`, and `$$` by `$`."""
    return value.replace("$", "$$")


def without_sidecars(annotations: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations of a pod to which nothing may add a container that never ends."""
    kept = {key: value for key, value in annotations.items() if isinstance(value, str)}
    if _VAULT in kept:
        kept |= {_VAULT_FIRST: "true", f"{_VAULT_FIRST}-only": "true"}
    return {**kept, **_NO_SIDECARS}


def with_names(key: str, value: Any) -> str:
    """Return a key, with the names of what a list under it holds."""
    names = [text(canonical(one), "name") for one in items(value)]
    shown = ", ".join(name for name in names if name)
    return f"{key} ({shown})" if shown else key


def _with_command(
    template: dict[str, Any], main: dict[str, Any], command: tuple[str, ...]
) -> list[str]:
    """Reduce a template to one container that runs `command`; return what is left out."""
    pod, metadata = nested(template, "spec"), nested(template, "metadata")
    left_out = [key for key in _NOT_OF_A_JOB if main.get(key)]
    for key in ("args", *_NOT_OF_A_JOB):
        main.pop(key, None)
    main["command"] = list(command)
    if others := [one for one in objects(pod, "containers") if one is not main]:
        left_out.append(with_names("containers", others))
    if init := pod.pop("initContainers", None):
        left_out.append(with_names("initContainers", init))
    pod |= {"containers": [main], "restartPolicy": "Never"}
    annotations = without_sidecars(nested(metadata, "annotations"))
    template["metadata"] = {**metadata, "annotations": annotations}
    return left_out


def _document(
    request: JobRequest, spec: dict[str, Any], template: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the whole body around the template of a pod."""
    seconds = math.ceil(request.seconds)
    limit = spec.get("activeDeadlineSeconds")
    spec["activeDeadlineSeconds"] = min(limit, seconds) if isinstance(limit, int) else seconds
    spec["ttlSecondsAfterFinished"] = _SECONDS_KEPT
    # The job's own limit ends with the job: a portal may delete a job without its pod. Where both
    # limits come at once, Kubernetes 1.20 leaves a pod that never goes.
    deadline = {"activeDeadlineSeconds": spec["activeDeadlineSeconds"] + _ORPHAN_SECONDS}
    pod = {**nested(template, "spec"), **deadline}
    spec["template"] = {**template, "spec": pod}
    return {"metadata": {"name": request.name, "labels": dict(request.labels)}, "spec": spec}


def _entry(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a variable with a text, or else with a reference."""
    if entry.get("valueFrom"):
        return {"name": name, "valueFrom": entry["valueFrom"]}
    value = entry.get("value", "")
    return {"name": name, "value": value if isinstance(value, str) else json.dumps(value)}


def _bounded(names: Sequence[str]) -> tuple[str, ...]:
    more = len(names) - _MOST_NAMED
    return (*names[:_MOST_NAMED], *([f"{more} more"] if more > 0 else []))
