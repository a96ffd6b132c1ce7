"""Requests to the API server of a tenant's cluster.

API servers are often private: a connection gets two seconds, and the first answer three. Later
reads are tried once more at once, because one request of many may fail at any time.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import requests

from pipe.clock import Deadline
from pipe.errors import Refused, Unreachable
from pipe.http import HttpClient, Limits, Network, Reply
from pipe.http.excerpt import excerpt
from pipe.http.session import proxy_for
from pipe.http.tls import private_context
from pipe.kubernetes.events import Event, decode_event
from pipe.kubernetes.objects import entries, revision_of
from pipe.kubernetes.pods import decode_pod
from pipe.kubernetes.rights import REMEDY_FOR_RIGHTS, REVIEWS, RIGHTS, Right, is_allowed
from pipe.kubernetes.workloads import Workload, WorkloadKind, decode_workload
from pipe.parallel import call_within, run_concurrently
from pipe.portal import Pod, TenantPortal, error_body
from pipe.portal.fields import LONGEST_PROSE, UnexpectedShape
from pipe.portal.kubernetes_access import IssuedAccess, KubernetesAccess
from pipe.secret import Mask, Secret, cut

T = TypeVar("T")

LOG_LINES = 20
FIRST_ANSWER = 3.0
"""Seconds in which the API server must have answered for the first time."""
_LIMITS = Limits(connect=2.0, read=2.5, whole=10.0, tries=1, patience=10.0)
_QUICK = 1.0
_LOG_BYTES = 1 << 18
_LONGEST_SELECTOR = 2000
_MOST_EVENTS = 5000
REMEDY = (
    "Run the step on a runner inside the cluster's network, or set KUBERNETES: 'auto' to follow "
    "the rollout by what the portal shows."
)


class BearerToken(requests.auth.AuthBase):
    """Adds the token to requests to the API server, and to no others."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers."""
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        request.headers["Accept"] = "application/json"
        return request


def connect(portal: TenantPortal, network: Network, mask: Mask) -> Cluster:
    """Request access from the portal, and return the cluster; nothing was sent to it yet.

    The token is masked from now on. Raises `PipeError` where the portal issues no usable access.
    """
    issued = KubernetesAccess(portal.scope).issue()
    mask.add(issued.token)
    context = None
    if issued.authority:
        try:
            context = private_context(issued.authority, network.ca_cert)
        except (ssl.SSLError, ValueError):
            raise Refused(
                f"{portal.scope.calls.host} issued a text for a certificate authority of "
                f"{issued.host} that cannot be read.",
                "Have the portal's administrators check the tenant's access to Kubernetes.",
            ) from None
    session = network.session(issued.server, context)
    session.auth = BearerToken(issued.token)
    http = HttpClient(
        issued.server, session, network.clock, setting="the API server's address", limits=_LIMITS
    )
    return Cluster(issued, http, proxy_for(issued.server, network.proxies), context)


@dataclass(frozen=True)
class Cluster:
    """One tenant's namespace. Every method raises `PlatformError` when Kubernetes cannot answer.

    `proxy` is the proxy's address, empty for none; `context` trusts the authority that came with
    the access, None if the usual ones apply.
    """

    issued: IssuedAccess
    http: HttpClient
    proxy: str = ""
    context: ssl.SSLContext | None = None
    _pods: list[Pod] = field(default_factory=list)

    def until(self, deadline: Deadline) -> Cluster:
        """Return the same cluster for reads that end at most some seconds after `deadline`."""
        whole = min(_LIMITS.whole, deadline.left() + FIRST_ANSWER)
        return replace(self, http=self.http.limited(replace(_LIMITS, whole=whole)))

    def missing_rights(self, rights: Sequence[Right] = RIGHTS) -> tuple[Right, ...]:
        """Return the rights that the token lacks; the first request decides within 3 seconds."""
        first, *others = rights
        try:
            allowed = {first: call_within(FIRST_ANSWER, partial(self._has, first))}
        except TimeoutError:
            raise Unreachable(
                f"{self.issued.host} did not answer within {FIRST_ANSWER:g} s.", REMEDY
            ) from None
        errors = run_concurrently(lambda right: allowed.update({right: self._has(right)}), others)
        if errors:
            raise errors[0]
        return tuple(right for right in rights if not allowed[right])

    def workloads(self, kind: WorkloadKind, names: Collection[str]) -> tuple[Workload, ...]:
        """Return the workloads of one kind, by a single request; others than `names` may be there.

        One name is looked for by itself.
        """
        query = {"fieldSelector": f"metadata.name={next(iter(names))}"} if len(names) == 1 else {}
        path = self._path("apis/apps/v1", kind.plural, query)
        return self._get(
            path,
            f"the list of {kind.plural}",
            lambda body: tuple(decode_workload(item, kind) for item in entries(body)),
        )

    def pods(self, selector: str = "") -> tuple[Pod, ...]:
        """Return the pods that a label selector finds; an unchanged pod is not decoded again."""
        query = {"labelSelector": selector} if selector else {}
        pods = self._get(self._path("api/v1", "pods", query), "the list of pods", self._decode_pods)
        self._pods[:] = pods
        return pods

    def pods_of_job(self, name: str) -> tuple[Pod, ...]:
        """Return the pods of a job, which stay as long as the job does."""
        path = self._path("api/v1", "pods", {"labelSelector": f"job-name={name}"})
        return self._get(
            path, f"the pods of {name}", lambda body: tuple(map(decode_pod, entries(body)))
        )

    def events(self, name: str = "") -> tuple[Event, ...]:
        """Return the namespace's warnings, or all events about one object, the newest first."""
        chosen = f"involvedObject.name={name}" if name else "type=Warning"
        events = self._get(
            self._path("api/v1", "events", {"fieldSelector": chosen}),
            "the list of events",
            lambda body: [decode_event(item) for item in entries(body)],
        )
        dated = [event for event in events if event.last]
        newest_first = sorted(dated, key=lambda one: one.last or one.first, reverse=True)  # type: ignore[arg-type,return-value]
        return (*newest_first, *(event for event in events if not event.last))[:_MOST_EVENTS]

    def log_tail(self, pod: str, container: str, *, previous: bool) -> tuple[str, ...]:
        """Return the last log lines of a container, with `previous` from before its restart.

        There are none where the kubelet has none, which it answers with status 400.
        """
        query = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(_LOG_BYTES)}
        if previous:
            query["previous"] = "true"
        path = self._path("api/v1", "pods", query, pod, "log")
        reply = self._send("GET", path)
        if not reply.ok:
            return ()
        lines = reply.text().removesuffix("\n").rsplit("\n", LOG_LINES)[-LOG_LINES:]
        return tuple(cut(line.removesuffix("\r"), LONGEST_PROSE) for line in lines if line)

    def _decode_pods(self, body: Any) -> tuple[Pod, ...]:
        known = {pod.revision: pod for pod in self._pods if pod.revision}
        decoded = (known.get(revision_of(item)) or decode_pod(item) for item in entries(body))
        return tuple(pod for pod in decoded if not pod.controller_kind.endswith("/Job"))

    def _has(self, right: Right) -> bool:
        body = right.review(self.issued.namespace)
        reply = self._send("POST", REVIEWS, body)
        return self._decode(reply, f"the right to {right}", is_allowed)

    def _path(self, group: str, resource: str, query: Mapping[str, str], *parts: str) -> str:
        path = "/".join(quote(part, safe="") for part in (self.issued.namespace, resource, *parts))
        return f"{group}/namespaces/{path}{'?' if query else ''}{urlencode(query)}"

    def _get(self, path: str, what: str, read: Callable[[Any], T]) -> T:
        return self._decode(self._send("GET", path), what, read)

    def _send(self, method: str, path: str, body: object = None) -> Reply:
        """Send a request that changes nothing; send it again if it failed quickly."""
        quick = Deadline.after(self.http.clock, _QUICK)
        try:
            reply = self.http.once(method, path, body)
            if not reply.outage or quick.passed():
                return reply
        except Unreachable as error:
            if not (error.retryable and error.may_have_applied) or quick.passed():
                raise
        return self.http.once(method, path, body)

    def _decode(self, reply: Reply, what: str, read: Callable[[Any], T]) -> T:
        host = self.issued.host
        if reply.status == 401:
            raise Refused(f"{host} refuses the token that the portal issued.", REMEDY)
        if not reply.ok:
            message = error_body.message(reply)
            because = f': "{message}"' if message else ""
            raise Refused(
                f"The API server {host} answered {reply.status} for {what}{because}.",
                REMEDY_FOR_RIGHTS,
            )
        try:
            return read(reply.json())
        except UnexpectedShape as expected:
            problem = f"expected {expected}"
        except ValueError:
            problem = f'expected JSON, got "{excerpt(reply)}"'
        raise Refused(f"{host} returned an unexpected response for {what}: {problem}.", REMEDY)


def selector(workloads: Collection[Workload]) -> str:
    """Return the label selector of all pods of these workloads, empty if there is no short one."""
    if len(workloads) == 1:
        (only,) = workloads
        return ",".join(f"{key}={value}" for key, value in only.selector)
    keys = {tuple(key for key, _ in one.selector) for one in workloads}
    if len(keys) != 1 or len(only_key := next(iter(keys))) != 1:
        return ""
    values = sorted({value for one in workloads for _, value in one.selector})
    short = f"{only_key[0]} in ({','.join(values)})"
    return short if len(short) <= _LONGEST_SELECTOR else ""
