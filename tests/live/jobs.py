"""The portal's jobs over the cluster's: created with the portal's own labels, read, deleted."""

from __future__ import annotations

import copy
import re
from typing import Any

from flask import Flask, Response, request

from tests.live.cluster import ApiError, Cluster
from tests.sandbox.access import Tenant
from tests.sandbox.job_object import ANY_HOST
from tests.sandbox.replies import answer, refusal
from tests.sandbox.routes import V3

Json = dict[str, Any]

_JOBS = f"{V3}/k8s/job"
_MERGED = ("labels", "annotations")
_CHANGEABLE = ("suspend", "ttlSecondsAfterFinished")


def collection(namespace: str) -> str:
    """Return the path of the jobs."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def is_of(name: str, service: str) -> bool:
    """Return whether a job, or a pod of one, runs a command beside a service, by its name."""
    return bool(re.match(rf"{re.escape(service)}-(release|run|pre|post)-", name))


class Jobs:
    """The jobs of one namespace, as the portal shows them."""

    def __init__(self, cluster: Cluster, namespace: str, tenant: Tenant) -> None:
        self._cluster = cluster
        self._path = collection(namespace)
        self._tenant = tenant

    def all(self) -> list[Json]:
        """Return every job."""
        return [_view(job) for job in self._cluster.get(self._path)["items"] or []]

    def find(self, name: str) -> Json:
        """Return one job; raise `ApiError` if it does not exist."""
        return _view(self._cluster.get(f"{self._path}/{name}"))

    def create(self, given: Json) -> Json:
        """Create a job with the labels that the portal's backend adds.

        It also adds a node selector, for which the nodes of a test cluster have no labels.
        """
        job = copy.deepcopy(given)
        any_host = job.pop("IsAnyHostAllowed", False) is True
        job.pop("AllocationTags", None)
        metadata, template = job["metadata"], job["spec"]["template"]
        if any_host:
            metadata["annotations"] = {**(metadata.get("annotations") or {}), ANY_HOST: "true"}
        name = metadata["name"]
        own = {"duplocloud.net/tenantid": self._tenant.id, "duplocloud.net/owner": name}
        metadata["labels"] = {**(metadata.get("labels") or {}), **own}
        inner = {**(template.get("metadata") or {})}
        pods = {"app": name, "owner": name, "tenantid": self._tenant.id}
        inner["labels"] = {**(inner.get("labels") or {}), **pods}
        template["metadata"] = inner
        body = {"apiVersion": "batch/v1", "kind": "Job", **job}
        return _view(self._cluster.create(self._path, body))

    def change(self, name: str, given: Json) -> Json:
        """Change what can be changed of a job."""
        metadata = {key: given["metadata"][key] for key in _MERGED if given["metadata"].get(key)}
        spec = {key: given["spec"][key] for key in _CHANGEABLE if key in given["spec"]}
        self._cluster.patch(f"{self._path}/{name}", {"metadata": metadata, "spec": spec})
        return self.find(name)

    def delete(self, name: str) -> None:
        """Delete a job and, after it, its pods; raise `ApiError` if it does not exist."""
        self.find(name)
        self._cluster.delete(f"{self._path}/{name}", propagationPolicy="Background")


def add_jobs(app: Flask, jobs: Jobs) -> None:
    """Add the routes of jobs to the portal."""

    @app.get(_JOBS)
    def every_job(tid: str) -> Response:
        return answer(jobs.all())

    @app.post(_JOBS)
    def create_job(tid: str) -> Response:
        return _found(lambda: jobs.create(request.get_json(force=True)))

    @app.get(f"{_JOBS}/<name>")
    def one_job(tid: str, name: str) -> Response:
        return _found(lambda: jobs.find(name))

    @app.put(f"{_JOBS}/<name>")
    def change_job(tid: str, name: str) -> Response:
        return _found(lambda: jobs.change(name, request.get_json(force=True)))

    @app.delete(f"{_JOBS}/<name>")
    def delete_job(tid: str, name: str) -> Response:
        return _found(lambda: jobs.delete(name))


def _found(call: Any) -> Response:
    """Return what a call returns, or the status of what Kubernetes refused."""
    try:
        return answer(call())
    except ApiError as error:
        if error.status in (404, 409):
            return refusal(error.status, str(error))
        raise


def _view(job: Json) -> Json:
    """Return a job as the portal shows it."""
    metadata = {key: value for key, value in job["metadata"].items() if key != "managedFields"}
    return {"metadata": metadata, "spec": job["spec"], "status": job.get("status") or {}}
