"""Kubernetes jobs: created, read, changed within narrow limits, and deleted."""

from __future__ import annotations

from flask import Blueprint, Response, request

from tests.sandbox.current import current_tenant, current_world, sent_object
from tests.sandbox.job_object import changed_template, problems
from tests.sandbox.jobs import Job
from tests.sandbox.replies import answer, listing, refusal, unknown, void
from tests.sandbox.routes import V3

_JOBS = f"{V3}/k8s/job"

routes = Blueprint("jobs", __name__)


@routes.before_request
def refuse() -> Response | None:
    jobs = current_world().jobs
    if not jobs.available:
        return Response("", 404)
    # A permission set is reported as a bad request, not as a forbidden one.
    return refusal(400, "Default deny") if request.method in jobs.denied else None


@routes.post(_JOBS)
def create(tid: str) -> Response:
    sent = sent_object()
    if found := problems(sent):
        return refusal(400, f"Job.batch {_name(sent)!r} is invalid: {'; '.join(found)}")
    if current_world().jobs.find(_name(sent), current_tenant()) is not None:
        return refusal(409, f'jobs.batch "{_name(sent)}" already exists')
    return answer(current_world().jobs.add(sent, current_tenant()).body())


@routes.get(_JOBS)
def every_job(tid: str) -> Response:
    return listing([job.body() for job in current_world().jobs.of_tenant(current_tenant())])


@routes.get(f"{_JOBS}/<name>")
def one_job(tid: str, name: str) -> Response:
    job = _find(name)
    return answer(job.body()) if job else unknown(f"Job {name}", 404)


@routes.put(f"{_JOBS}/<name>")
def change(tid: str, name: str) -> Response:
    job, sent = _find(name), sent_object()
    if job is None:
        return unknown(f"Job {name}", 404)
    if not isinstance(sent.get("spec"), dict):
        return refusal(400, "metadata and spec are required")
    if changed_template(job.document, sent):
        return refusal(400, f'Job.batch "{name}" is invalid: spec.template: field is immutable')
    job.change(sent)
    return answer(job.body())


@routes.delete(f"{_JOBS}/<name>")
def delete(tid: str, name: str) -> Response:
    job = _find(name)
    if job is None:
        return unknown(f"Job {name}", 404)
    job.delete(current_world().jobs.deletion)
    return void()


def _find(name: str) -> Job | None:
    return current_world().jobs.find(name, current_tenant())


def _name(sent: dict[str, object]) -> str:
    metadata = sent.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, dict) else ""
