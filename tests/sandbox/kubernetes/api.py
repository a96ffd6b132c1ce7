"""The API server as a web application: one application serves every world in the process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from tests.sandbox.access import Tenant
from tests.sandbox.current import current_world, sent_object
from tests.sandbox.fault_injection import WsgiApp
from tests.sandbox.gate import Answer, Gate
from tests.sandbox.kubernetes.events import event_object
from tests.sandbox.kubernetes.names import account_of, namespace_of
from tests.sandbox.kubernetes.objects import KINDS, pod_in_full, pod_of, workloads
from tests.sandbox.pods import Pod
from tests.sandbox.replies import answer
from tests.sandbox.web import Web
from tests.sandbox.world import World

Json = dict[str, Any]

routes = Blueprint("api", __name__)

_CORE = "/api/v1/namespaces/<namespace>"
_APPS = "/apis/apps/v1/namespaces/<namespace>"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}
_TERM = re.compile(r"\s*([^\s=!,()]+)\s*(?:(==|=|!=)\s*([^,]*)|in\s*\(([^)]*)\))\s*(?:,|$)")


class StatusError(Exception):
    """A request that the API server answers with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def create_kubernetes_app(world: World) -> WsgiApp:
    """Return the API server of a world; its requests are in the world's log too."""
    return Gate(_application(), world)


@cache
def _application() -> Answer:
    app = Web("kubernetes", static_folder=None)
    app.register_blueprint(routes)
    app.before_request(_authenticate)
    app.register_error_handler(StatusError, lambda error: _failure(error.code, str(error)))
    app.register_error_handler(HTTPException, _unknown_path)
    return app.answer


def _authenticate() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    tenant = current_world().kubernetes.tenant_of(token) if scheme == "Bearer" else None
    if tenant is None:
        raise StatusError(401, "Unauthorized")
    g.tenant = tenant


@routes.get("/version")
def version() -> Response:
    return answer({"major": "1", "minor": "30", "gitVersion": "v1.30.4"})


@routes.post(_REVIEWS)
def review() -> Response:
    sent = sent_object()
    wanted = (sent.get("spec") or {}).get("resourceAttributes") or {}
    resource = "/".join(filter(None, (wanted.get("resource"), wanted.get("subresource"))))
    allowed = wanted.get("namespace") == namespace_of(g.tenant.name) and _may(
        wanted.get("verb", ""), resource
    )
    return answer({**sent, "status": {"allowed": allowed}}, 201)


@routes.get(f"{_CORE}/pods")
def pods(namespace: str) -> Response:
    _check("list", "pods", namespace)
    return _listing("PodList", "v1", _pods(g.tenant).values(), "spec.nodeName", "status.phase")


@routes.get(f"{_CORE}/pods/<name>")
def one_pod(namespace: str, name: str) -> Response:
    _check("get", "pods", namespace)
    return _one("Pod", "pods", name, _pods(g.tenant).get(name))


@routes.get(f"{_CORE}/events")
def events(namespace: str) -> Response:
    _check("list", "events", namespace)
    world = current_world()
    listed = world.kubernetes.events.of_tenant(g.tenant.id)
    found = (event_object(event, namespace, world) for event in listed)
    return _listing("EventList", "v1", found, "involvedObject.*", "reason", "type")


@routes.get(f"{_CORE}/pods/<name>/log")
def log(namespace: str, name: str) -> Response:
    _check("get", "pods/log", namespace)
    pod = next((one for one in current_world().pods_of(g.tenant) if one.name == name), None)
    if pod is None:
        raise StatusError(404, f'pods "{name}" not found')
    return Response(_log_text(pod, _chosen_container(pod)), content_type="text/plain")


@routes.get(f"{_APPS}/<resource>")
def listed_workloads(namespace: str, resource: str) -> Response:
    kind = _kind(resource)
    _check("list", resource, namespace)
    return _listing(f"{kind}List", "apps/v1", _workloads(g.tenant, kind))


@routes.get(f"{_APPS}/<resource>/<name>")
def one_workload(namespace: str, resource: str, name: str) -> Response:
    kind = _kind(resource)
    _check("get", resource, namespace)
    found = (one for one in _workloads(g.tenant, kind) if one["metadata"]["name"] == name)
    return _one(kind, f"{resource}.apps", name, next(found, None))


# Objects


def _pods(tenant: Tenant) -> dict[str, Json]:
    world = current_world()
    found = {
        pod.name: pod_of(service, pod)
        for service in world.services_of(tenant)
        for pod in service.members
        if not service.native
    }
    return found | {pod.name: pod_in_full(pod, tenant) for pod in world.jobs.pods_of(tenant)}


def _workloads(tenant: Tenant, kind: str) -> list[Json]:
    services = current_world().services_of(tenant)
    return [found for service in services for found in workloads(service, kind)]


def _kind(resource: str) -> str:
    if resource not in KINDS:
        raise StatusError(404, "the server could not find the requested resource")
    return KINDS[resource]


# Logs


def _chosen_container(pod: Pod) -> str:
    names = [name for name, _ in pod.template.containers]
    every = [*names, *(name for name, _ in pod.template.inits)]
    chosen = request.args.get("container") or (names[0] if len(every) == 1 else "")
    if not chosen:
        choice = " ".join(names)
        raise StatusError(
            400, f"a container name must be specified for pod {pod.name}, choose one of: [{choice}]"
        )
    if chosen not in every:
        raise StatusError(400, f"container {chosen} is not valid for pod {pod.name}")
    return chosen


def _log_text(pod: Pod, container: str) -> str:
    restarts = pod.step.restarts if container == pod.decisive else 0
    if request.args.get("previous") == "true" and not restarts:
        raise StatusError(
            400, f'previous terminated container "{container}" in pod "{pod.name}" not found'
        )
    if not pod.step.started:
        waiting = pod.step.state.get("waiting", {}).get("reason", "ContainerCreating")
        raise StatusError(
            400, f'container "{container}" in pod "{pod.name}" is waiting to start: {waiting}'
        )
    lines = pod.log(container)
    if tail := request.args.get("tailLines"):
        lines = lines[len(lines) - min(int(tail), len(lines)) :]
    text = "".join(f"{line}\n" for line in lines)
    if limit := request.args.get("limitBytes"):
        text = text.encode()[: int(limit)].decode(errors="ignore")
    return text


# Rights, selection and errors


def _may(verb: str, resource: str) -> bool:
    return f"{verb} {resource}" in current_world().kubernetes.rights


def _check(verb: str, resource: str, namespace: str) -> None:
    own = namespace_of(g.tenant.name)
    if namespace == own and _may(verb, resource):
        return
    user = f"system:serviceaccount:{own}:{account_of(g.tenant.name)}"
    group = "apps" if resource in KINDS else ""
    plain = resource.partition("/")[0]
    raise StatusError(
        403,
        f'{plain} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group '
        f'"{group}" in the namespace "{namespace}"',
    )


def _listing(kind: str, version: str, found: Iterable[Json], *fields: str) -> Response:
    """Return what the selectors of the request choose; items name neither kind nor version."""
    by_label = _selector(request.args.get("labelSelector", ""))
    by_field = _selector(request.args.get("fieldSelector", ""), *fields, "metadata.*")
    items = [
        one
        for one in found
        if by_label(one["metadata"].get("labels") or {}) and by_field(_Fields(one))
    ]
    metadata = {"resourceVersion": str(int(current_world().at * 1000))}
    return answer({"kind": kind, "apiVersion": version, "metadata": metadata, "items": items})


def _one(kind: str, resource: str, name: str, found: Json | None) -> Response:
    if found is None:
        raise StatusError(404, f'{resource} "{name}" not found')
    version = "v1" if kind == "Pod" else "apps/v1"
    return answer({"kind": kind, "apiVersion": version, **found})


class _Fields(Mapping[str, str]):
    """The fields of an object by their dotted paths."""

    def __init__(self, body: Json) -> None:
        self._body = body

    def __getitem__(self, path: str) -> str:
        value: Any = self._body
        for part in path.split("."):
            value = value[part]
        return str(value)

    def __iter__(self) -> Any:
        return iter(self._body)

    def __len__(self) -> int:
        return len(self._body)


def _selector(text: str, *known: str) -> Callable[[Mapping[str, str]], bool]:
    """Return the test that a selector describes; `known` are the fields that it may name."""
    terms: list[tuple[str, bool, set[str]]] = []
    place = 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None:
            raise StatusError(400, f"unable to parse requirement: {text[place:]!r}")
        key, operator, value, values = term.groups()
        if known and not any(key == one or key.startswith(one.rstrip("*")) for one in known):
            raise StatusError(400, f"field label not supported: {key}")
        chosen = {one.strip() for one in values.split(",")} if values else {value.strip()}
        terms.append((key, operator != "!=", chosen))
        place = term.end()
    return lambda labels: all(
        (labels.get(key, "") in chosen) is positive for key, positive, chosen in terms
    )


def _failure(code: int, message: str) -> Response:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": _REASONS[code],
        "code": code,
    }
    return answer(status, code)


def _unknown_path(problem: HTTPException) -> Response:
    if problem.code == 404:
        return _failure(404, "the server could not find the requested resource")
    return Response("", problem.code or 500)
