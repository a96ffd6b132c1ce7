"""Kubernetes CronJobs, which are changed by sending the whole object."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipe.errors import Refused
from pipe.http import Reply
from pipe.model import MAIN
from pipe.portal import error_body
from pipe.portal.fields import items, listed, nested, objects, text
from pipe.portal.scope import Scope

_OUTDATED = "the object has been modified"
_ANY_HOST = "duplocloud.net/is-any-host-allowed"


@dataclass(frozen=True, slots=True)
class CronJob:
    """One CronJob; `version` changes with every change. `document` is the portal's JSON.

    `main` is the name of the main container: the one named like the job, else the first.
    `concurrency` decides on a run that is under way when the next one is due, and
    `running` is the number of such runs.
    """

    name: str
    main: str
    images: Mapping[str, str]
    schedule: str
    version: str
    document: Mapping[str, Any] = field(compare=False, repr=False)
    suspended: bool = False
    concurrency: str = ""
    running: int = 0


class CronJobs:
    """The portal's API for CronJobs in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[CronJob, ...]:
        """Return every CronJob in the tenant."""
        reply = self._scope.calls.read(self._scope.v3("k8s", "cronJob"))
        return self._scope.calls.decode(reply, "the list of CronJobs", _jobs)

    def change_images(self, job: CronJob, images: Mapping[str, str]) -> None:
        """Change images of a CronJob, by container name.

        Raises a retryable `Refused` for a job that is not the latest: Kubernetes itself changes it
        with every run.
        """
        path = self._scope.v3("k8s", "cronJob", job.name)
        reply = self._scope.calls.send("PUT", path, replacement(job, images))
        if _is_outdated(reply):
            raise Refused(
                f"{job.name} changed just before this run's change: "
                f'"{error_body.message(reply)}".',
                "Run the step again.",
                retryable=True,
                may_have_applied=False,
            )
        self._scope.calls.check_done(reply, f"the change of {job.name}")


def replacement(job: CronJob, images: Mapping[str, str]) -> dict[str, Any]:
    """Return the whole object with nothing but images changed.

    A read returns `IsAnyHostAllowed` only as an annotation, while a write expects the field.
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


def _is_outdated(reply: Reply) -> bool:
    if reply.status == 409:
        return True
    return reply.status in (400, 500) and _OUTDATED in error_body.message(reply)


def _jobs(body: Any) -> tuple[CronJob, ...]:
    jobs = (_job(item) for item in listed(body))
    return tuple(job for job in jobs if job.name and job.images)


def _job(item: Mapping[str, Any]) -> CronJob:
    name = text(nested(item, "metadata"), "name")
    names = [text(entry, "name") for entry in objects(_pod_spec(item), "containers")]
    main = name if name in names else next(iter(names), "")
    images = {
        MAIN if text(entry, "name") == main else text(entry, "name"): text(entry, "image")
        for entry in _containers(item)
    }
    spec = nested(item, "spec")
    return CronJob(
        name=name,
        main=main,
        images=images,
        schedule=text(spec, "schedule"),
        version=json.dumps(item.get("spec"), sort_keys=True),
        document=item,
        suspended=spec.get("suspend") is True,
        concurrency=text(spec, "concurrencyPolicy"),
        running=len(list(items(nested(item, "status").get("active")))),
    )


def _containers(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    spec = _pod_spec(item)
    for key in ("containers", "initContainers"):
        yield from objects(spec, key)


def _pod_spec(item: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = item
    for key in ("spec", "jobTemplate", "spec", "template", "spec"):
        spec = nested(spec, key)
    return spec
