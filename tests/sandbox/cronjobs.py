"""CronJobs, kept as the objects they are."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.world import Tenant, World

ANY_HOST = "duplocloud.net/is-any-host-allowed"


@dataclass
class CronJob:
    """One CronJob; whether it may run on any host is kept apart, as the portal does."""

    tenant: Tenant
    document: dict[str, Any]
    any_host: bool = False
    replaced: int = 0

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.document["metadata"]["name"])

    @property
    def pod(self) -> dict[str, Any]:
        """What its pods are made from."""
        spec: dict[str, Any] = self.document["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        return spec

    @property
    def image(self) -> str:
        """The first container's image."""
        return str(self.pod["containers"][0]["image"])

    def replace(self, document: dict[str, Any]) -> None:
        """Take over the whole object; what is not in it is gone."""
        self.any_host = document.get("IsAnyHostAllowed") is True
        self.document = copy.deepcopy(document)
        self.document.pop("IsAnyHostAllowed", None)
        metadata = self.document["metadata"]
        metadata["generation"] = metadata.get("generation", 1) + 1
        self.replaced += 1

    def body(self) -> dict[str, Any]:
        """The object as a read shows it: the switch is off whatever it is, the annotation tells."""
        shown = copy.deepcopy(self.document)
        annotations = dict(shown["metadata"].get("annotations") or {})
        annotations.pop(ANY_HOST, None)
        if self.any_host:
            annotations[ANY_HOST] = "true"
        shown["metadata"]["annotations"] = annotations or None
        return {**shown, "IsAnyHostAllowed": False}


class CronJobShelf:
    """Every CronJob in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.jobs: list[CronJob] = []

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
        """A CronJob with things that a careless client loses."""
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
        self.jobs.append(job)
        return job

    def of_tenant(self, tenant: Tenant) -> list[CronJob]:
        """The tenant's CronJobs."""
        return [one for one in self.jobs if one.tenant is tenant]

    def find(self, tenant: Tenant, name: str) -> CronJob | None:
        """The CronJob of that name."""
        return next((one for one in self.of_tenant(tenant) if one.name == name), None)
