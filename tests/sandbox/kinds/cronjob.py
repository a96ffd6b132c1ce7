"""CronJobs, kept as Kubernetes objects."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from tests.sandbox.current import current_tenant, current_world, sent_object
from tests.sandbox.kinds.base import Resources, SandboxKind
from tests.sandbox.replies import answer, listing, refusal, unknown
from tests.sandbox.routes import V3

if TYPE_CHECKING:
    from tests.sandbox.world import Tenant

ANY_HOST = "duplocloud.net/is-any-host-allowed"
_CRONJOBS = f"{V3}/k8s/cronJob"


@dataclass
class CronJob:
    """A CronJob; `any_host` is kept apart from the object, as the portal does.

    With `checks_version`, an object that is not based on the latest one is refused, as Kubernetes
    does where the portal passes on the resource version.
    """

    tenant: Tenant
    document: dict[str, Any]
    any_host: bool = False
    replaced: int = 0
    checks_version: bool = False

    @property
    def name(self) -> str:
        """The name in Kubernetes."""
        return str(self.document["metadata"]["name"])

    @property
    def pod(self) -> dict[str, Any]:
        """The specification of its pods."""
        spec: dict[str, Any] = self.document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        return spec

    @property
    def image(self) -> str:
        """The first container's image."""
        return str(self.pod["containers"][0]["image"])

    def replace(self, document: dict[str, Any]) -> None:
        """Replace the whole object; what is missing from the new one is lost."""
        self.any_host = document.get("IsAnyHostAllowed") is True
        self.document = copy.deepcopy(document)
        self.document.pop("IsAnyHostAllowed", None)
        metadata = self.document["metadata"]
        metadata["generation"] = metadata.get("generation", 1) + 1
        self.replaced += 1
        self.touch()

    def touch(self) -> None:
        """Give the object another version, as every change of its status does."""
        metadata = self.document["metadata"]
        if self.checks_version:
            metadata["resourceVersion"] = str(int(metadata.get("resourceVersion", 100)) + 1)

    def is_latest(self, document: dict[str, Any]) -> bool:
        """Return whether an object is based on the present one."""
        version = self.document["metadata"].get("resourceVersion")
        return not self.checks_version or document["metadata"].get("resourceVersion") == version

    def body(self) -> dict[str, Any]:
        """Return the object as the portal shows it.

        The switch is always shown as off; only the annotation holds its value.
        """
        document = copy.deepcopy(self.document)
        annotations = dict(document["metadata"].get("annotations") or {})
        annotations.pop(ANY_HOST, None)
        if self.any_host:
            annotations[ANY_HOST] = "true"
        document["metadata"]["annotations"] = annotations or None
        return {**document, "IsAnyHostAllowed": False}


class CronJobs(Resources[CronJob]):
    """All CronJobs of a world."""

    def add(
        self,
        name: str,
        image: str,
        tenant: str = "dev01",
        *,
        any_host: bool = False,
        inits: dict[str, str] | None = None,
        sidecars: dict[str, str] | None = None,
        allocation_tags: str = "",
    ) -> CronJob:
        """Add a CronJob with fields that a careless client loses."""
        pod = {
            "containers": [
                {"name": name, "image": image, "env": [{"name": "LOG", "value": "info"}]},
                *({"name": key, "image": value} for key, value in (sidecars or {}).items()),
            ],
            "initContainers": [
                {"name": key, "image": value} for key, value in (inits or {}).items()
            ],
            "restartPolicy": "Never",
        }
        document = {
            "metadata": {"name": name, "labels": {"team": "batch"}, "generation": 1},
            "spec": {
                "schedule": "0 2 * * *",
                "suspend": False,
                "concurrencyPolicy": "Forbid",
                "successfulJobsHistoryLimit": 0,
                "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
            },
            "status": {},
            "AllocationTags": allocation_tags,
        }
        job = CronJob(self.world.tenant(tenant), document, any_host)
        self.items.append(job)
        return job


routes = Blueprint("cronjobs", __name__)


@routes.get(_CRONJOBS)
def jobs(tid: str) -> Response:
    return listing([one.body() for one in _state().of_tenant(current_tenant())])


@routes.get(f"{_CRONJOBS}/<name>")
def job(tid: str, name: str) -> Response:
    target = _state().find(current_tenant(), name)
    return answer(target.body()) if target else unknown(f"CronJob {name}", 404)


@routes.put(f"{_CRONJOBS}/<name>")
def replace(tid: str, name: str) -> Response:
    target = _state().find(current_tenant(), name)
    if target is None:
        return unknown(f"CronJob {name}", 404)
    body = sent_object()
    if not isinstance(body.get("spec"), dict) or not isinstance(body.get("metadata"), dict):
        return refusal(400, "metadata and spec are required")
    if not target.is_latest(body):
        return refusal(
            409,
            f'Operation cannot be fulfilled on cronjobs.batch "{name}": the object has been '
            "modified; please apply your changes to the latest version and try again",
        )
    target.replace(body)
    return answer(target.body())


def _state() -> CronJobs:
    return current_world().resources_of(CronJobs)


KIND = SandboxKind(
    attribute="cronjobs",
    resources=CronJobs,
    routes=routes,
    fails=False,
    # CronJobs are objects of Kubernetes, which the vendor's models leave out.
    unmodelled=(
        ("GET", r"/v3/subscriptions/[^/]+/k8s/cronJob(/[^/]+)?"),
        ("PUT", r"/v3/subscriptions/[^/]+/k8s/cronJob/[^/]+"),
    ),
)
