"""Access to the cluster as the portal hands it out: a tenant's account, and all that goes wrong."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import trustme

from tests.live.cluster import Cluster

Json = dict[str, Any]

GRANTED = "granted"
_HOUR = 3600
_RULES = (
    {"apiGroups": [""], "resources": ["pods", "pods/log", "events"]},
    {
        "apiGroups": ["apps"],
        "resources": ["deployments", "replicasets", "statefulsets", "daemonsets"],
    },
)
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Access:
    """What the portal answers when a run asks for access; the kinds are keys of `KINDS`."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._stale = ""
        self.closed = self.silent = ""
        """Addresses where nothing listens, and where nothing ever answers."""

    def prepare(self) -> None:
        """Create the accounts: one with a tenant's rights, one without any, one that is gone."""
        for name in ("edit-user", "guest", "gone"):
            self._create("/api/v1", "serviceaccounts", {"metadata": {"name": name}})
        rules = [{**rule, "verbs": ["get", "list", "watch"]} for rule in _RULES]
        self._create(_RBAC, "roles", {"metadata": {"name": "tenant"}, "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant"}
        subject = {"kind": "ServiceAccount", "name": "edit-user", "namespace": self._namespace}
        binding = {"metadata": {"name": "tenant"}, "roleRef": role, "subjects": [subject]}
        self._create(_RBAC, "rolebindings", binding)
        self._stale = self._token("gone")
        self._cluster.delete(f"{self._accounts}/gone")

    def issue(self, kind: str) -> Json:
        """Return the answer of the portal."""
        authority = self._cluster.authority
        usual = {
            "Name": "live",
            "ApiServer": self._cluster.server,
            "Token": self._token("edit-user") if kind != "expired" else self._stale,
            "K8sVersion": "",
            "CertificateAuthorityDataBase64": _encoded(authority) if authority else None,
            "DefaultNamespace": self._namespace,
        }
        return usual | KINDS[kind](self)

    def guest_token(self) -> str:
        """Return the token of an account without rights."""
        return self._token("guest")

    @property
    def _accounts(self) -> str:
        return f"/api/v1/namespaces/{self._namespace}/serviceaccounts"

    def _create(self, group: str, resource: str, body: Json) -> None:
        self._cluster.create(f"{group}/namespaces/{self._namespace}/{resource}", body)

    def _token(self, account: str) -> str:
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _HOUR},
        }
        issued = self._cluster.create(f"{self._accounts}/{account}/token", request)
        return str(issued["status"]["token"])


def _of_another_authority(_: Access) -> Json:
    pem = trustme.CA().cert_pem.bytes().decode()
    return {"CertificateAuthorityDataBase64": _encoded(pem)}


KINDS: Mapping[str, Callable[[Access], Json]] = {
    GRANTED: lambda _: {},
    "closed": lambda access: {"ApiServer": access.closed},
    "silent": lambda access: {"ApiServer": access.silent},
    "other-authority": _of_another_authority,
    "expired": lambda _: {},
    "no-rights": lambda access: {"Token": access.guest_token()},
}
"""What each kind of access changes in the answer."""


@contextlib.contextmanager
def unresponsive() -> Iterator[tuple[str, str]]:
    """Yield the addresses of a closed port, and of a listener that accepts and stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as closing:
        closed = closing.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []
        threading.Thread(target=_accept, args=(listener, held), daemon=True).start()
        silent = listener.getsockname()[1]
        yield f"https://127.0.0.1:{closed}", f"https://127.0.0.1:{silent}"
        for connection in held:
            connection.close()


def _accept(listener: socket.socket, held: list[socket.socket]) -> None:
    with contextlib.suppress(OSError):
        while True:
            held.append(listener.accept()[0])


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()
