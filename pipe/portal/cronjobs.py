"""Kubernetes CronJobs, which are changed by sending the whole object."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipe.model import MAIN
from pipe.portal.calls import Scope
from pipe.portal.fields import listed, nested, objects, text

_ANY_HOST = "duplocloud.net/is-any-host-allowed"


@dataclass(frozen=True, slots=True)
class CronJob:
    """One CronJob; `version` differs after anybody's change. `document` is the portal's own.

    `main` is the main container's own name: the job's, else the first one's.
    """

    name: str
    main: str
    images: Mapping[str, str]
    schedule: str
    version: str
    document: Mapping[str, Any] = field(compare=False, repr=False)


class CronJobPortal:
    """The portal's calls for CronJobs inside one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def jobs(self) -> tuple[CronJob, ...]:
        """Every CronJob of the tenant."""
        reply = self._scope.calls.read(self._scope.v3("k8s", "cronJob"))
        return self._scope.calls.decode(reply, "the list of CronJobs", _jobs)

    def change_images(self, job: CronJob, images: Mapping[str, str]) -> None:
        """Give containers of `job` new images, by container name."""
        path = self._scope.v3("k8s", "cronJob", job.name)
        self._scope.send("PUT", path, replacement(job, images), f"the change of {job.name}")


def replacement(job: CronJob, images: Mapping[str, str]) -> dict[str, Any]:
    """What to send so that only images change.

    A read does not tell `IsAnyHostAllowed` as a write expects it; the annotation does.
    """
    body: dict[str, Any] = copy.deepcopy(dict(job.document))
    annotations = nested(nested(body, "metadata"), "annotations")
    body["IsAnyHostAllowed"] = annotations.get(_ANY_HOST) == "true"
    for container in _containers(body):
        name = text(container, "name")
        key = MAIN if name == job.main else name
        if key in images:
            container["image"] = images[key]
    return body


def _jobs(body: Any) -> tuple[CronJob, ...]:
    found = (_job(item) for item in listed(body))
    return tuple(job for job in found if job.name and job.images)


def _job(item: Mapping[str, Any]) -> CronJob:
    name = text(nested(item, "metadata"), "name")
    spec = _pod_spec(item)
    names = [text(entry, "name") for entry in objects(spec, "containers")]
    main = name if name in names else next(iter(names), "")
    images = {
        MAIN if text(entry, "name") == main else text(entry, "name"): text(entry, "image")
        for entry in _containers(item)
    }
    schedule = text(nested(item, "spec"), "schedule")
    version = json.dumps(item.get("spec"), sort_keys=True)
    return CronJob(name, main, images, schedule, version, item)


def _containers(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    spec = _pod_spec(item)
    for key in ("containers", "initContainers"):
        yield from objects(spec, key)


def _pod_spec(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found = item
    for key in ("spec", "jobTemplate", "spec", "template", "spec"):
        found = nested(found, key)
    return found
