"""Jobs of Kubernetes: pods that run once, to their end.

The portal stops listing the pods of a job soon after they end, so a job is judged by its
conditions, which stay as long as the job does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from pipe.errors import Refused
from pipe.http import Reply
from pipe.portal import error_body
from pipe.portal.calls import NO_ROUTE
from pipe.portal.fields import UnexpectedShape, listed, nested, objects, prose, text
from pipe.portal.job_body import JobBody
from pipe.portal.pods import Pod, decode_pod
from pipe.portal.scope import Scope

_EXISTS = "already exists"
_ABSENT = "not found"
_MOST_JOBS = 5000


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended, as its condition states it; a complete one has no reason."""

    is_complete: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One job; `end` is None until it has ended."""

    name: str
    end: JobEnd | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


class Jobs:
    """The portal's API for jobs in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[Job, ...]:
        """Return every job in the tenant; raise `Refused` where the portal has none."""
        reply = self._scope.calls.read(self._path(), final=NO_ROUTE)
        if reply.status in NO_ROUTE:
            raise Refused(
                f"The portal {self._scope.calls.host} cannot run jobs: it answered {reply.status} "
                "for the list of jobs.",
                "Have the portal updated, or run the command in the step.",
            )
        return self._listed(reply)

    def find(self, name: str) -> Job | None:
        """Return one job, None when the list of jobs lacks it.

        Only the list proves that a job is gone: gateways and portals without this route answer
        404 or 405 as well. Raises `Refused` with that answer where the list cannot be had either.
        """
        what = f"the job {name}"
        reply = self._scope.calls.read(self._path(name), final=NO_ROUTE)
        job = None if _is_absent(reply) else self._scope.calls.decode(reply, what, _found)
        if job is not None:
            return job
        every = self._scope.calls.read(self._path(), final=NO_ROUTE)
        if every.status in NO_ROUTE:
            self._scope.calls.check(reply, what)
        return next((one for one in self._listed(every) if one.name == name), None)

    def create(self, body: JobBody) -> None:
        """Create a job, which may be there already: its name identifies what it runs.

        Raises `Unreachable` when it is unknown whether the portal created it.
        """
        what = f"the new job {body.name}"
        reply = self._scope.calls.send("POST", self._path(), body.document)
        if reply.status == 409 or (not reply.ok and _EXISTS in error_body.message(reply)):
            return
        self._check_permission(reply, what)
        self._scope.calls.check_done(reply, what)

    def delete(self, name: str) -> None:
        """Delete a job with its pods; one that the list of jobs lacks is no error."""
        reply = self._scope.calls.send("DELETE", self._path(name), None)
        if _is_absent(reply) and self.find(name) is None:
            return
        self._scope.calls.check_done(reply, f"the deletion of the job {name}")

    def pods(self, name: str) -> tuple[Pod, ...]:
        """Return the pods of a job, as far as the portal still lists them."""
        path = self._scope.v2("GetPods")
        # The reader for services leaves out the pods of jobs.
        reader = self._scope.memory.list_reader(f"{path} of jobs", decode_pod, attrgetter("name"))
        reply = self._scope.calls.read(path, stream=reader.read)
        return self._scope.calls.decode(
            reply, "the list of pods", lambda pods: _pods_of(name, pods)
        )

    def log(self, pod: Pod, docker_id: str, lines: int) -> tuple[str, ...] | None:
        """Return the last lines of a container's log, None where the portal returns no log.

        Raises `Unreachable` without a reply.
        """
        body = {"HostName": pod.host, "DockerId": docker_id, "Tail": lines}
        reply = self._scope.calls.send("POST", self._scope.v2("findContainerLogs"), body)
        try:
            content = reply.json() if reply.ok else None
        except ValueError:
            return None
        return _log(content, lines)

    def _path(self, *name: str) -> str:
        return self._scope.v3("k8s", "job", *name)

    def _listed(self, reply: Reply) -> tuple[Job, ...]:
        self._check_permission(reply, "the list of jobs")
        return self._scope.calls.decode(reply, "the list of jobs", _jobs)

    def _check_permission(self, reply: Reply, what: str) -> None:
        """Raise the error for the status by which permission sets refuse."""
        if reply.status != 400 or error_body.transient(reply):
            return
        message = error_body.message(reply)
        because = f': "{message}"' if message else ""
        calls = self._scope.calls
        raise Refused(
            f"The portal {calls.host} answered 400 for {what}{because}.",
            "A permission set may forbid jobs: have it allow the service account of "
            f"{calls.refusals.variable} to create, read and delete jobs in the tenant "
            f"{self._scope.tenant.name}.",
        )


def _is_absent(reply: Reply) -> bool:
    """Return whether a reply shows no job, or no route to one."""
    if reply.status in NO_ROUTE:
        return True
    return reply.status == 400 and _ABSENT in error_body.message(reply).casefold()


def _jobs(body: Any) -> tuple[Job, ...]:
    jobs = [decode_job(item) for item in listed(body)]
    if len(jobs) > _MOST_JOBS:
        raise UnexpectedShape(f"at most {_MOST_JOBS:,} jobs")
    return tuple(job for job in jobs if job.name)


def _found(body: Any) -> Job | None:
    """Decode one job, where null or an object without a name means not found."""
    if body is not None and not isinstance(body, dict):
        raise UnexpectedShape("a job or null")
    job = decode_job(body or {})
    return job if job.name else None


def decode_job(item: Mapping[str, Any]) -> Job:
    """Decode one job."""
    metadata = nested(item, "metadata")
    labels = nested(metadata, "labels")
    return Job(
        name=text(metadata, "name"),
        end=_end(nested(item, "status")),
        labels={key: value for key, value in labels.items() if isinstance(value, str)},
    )


def _end(status: Mapping[str, Any]) -> JobEnd | None:
    for condition in objects(status, "conditions"):
        kind = text(condition, "type")
        if kind in ("Complete", "Failed") and text(condition, "status") == "True":
            reason, message = prose(condition, "reason"), prose(condition, "message")
            return JobEnd(kind == "Complete", reason, message)
    return None


def _pods_of(name: str, pods: Any) -> tuple[Pod, ...]:
    if not isinstance(pods, tuple):
        raise UnexpectedShape("a list")
    # Not every portal shows whose a pod is, but Kubernetes names a job's pods after it.
    return tuple(
        pod
        for pod in pods
        if name in (pod.owner, pod.controller) or pod.name.startswith(f"{name}-")
    )


def _log(body: Any, lines: int) -> tuple[str, ...] | None:
    data = body.get("Data") if isinstance(body, dict) else None
    if not isinstance(data, str) or not data:
        return None
    # `splitlines` also splits at characters that an application may write a million of in a line.
    last = data.removesuffix("\n").rsplit("\n", lines)[-lines:]
    return tuple(line.removesuffix("\r") for line in last)
