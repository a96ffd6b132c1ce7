"""A tenant's access to Kubernetes as the portal hands it out, and what the API server keeps."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.sandbox.access import Tenant
from tests.sandbox.issued_secrets import CLUSTER_SIGNATURE
from tests.sandbox.kubernetes.authority import authority_pem
from tests.sandbox.kubernetes.events import Events
from tests.sandbox.kubernetes.names import account_of, namespace_of

if TYPE_CHECKING:
    from tests.sandbox.world import World

HOST = "kubernetes.example"
RIGHTS = frozenset(
    f"{verb} {resource}"
    for resource in (
        *("pods", "pods/log", "events"),
        *("deployments", "replicasets", "statefulsets", "daemonsets"),
    )
    for verb in ("get", "list", "watch")
)
"""What a tenant's edit role allows, as far as it matters here."""


@dataclass(frozen=True)
class IssuedToken:
    """A token of a tenant's service account, and when it ends in monotonic seconds."""

    tenant: Tenant
    ends_at: float


class Cluster:
    """The API server of a world, with settings for what goes wrong with it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.enabled = False
        """Whether the portal hands out access; its routes answer 404 otherwise."""
        self.status = 200
        self.text = ""
        """With a status of an error, the reply of the portal's routes."""
        self.changes: dict[str, Any] = {}
        """Fields that the portal's reply has in place of its own; None removes one."""
        self.server = f"https://{HOST}:6443"
        self.lifetime = 3600.0
        """Seconds from a token's issue to its end."""
        self.rights = RIGHTS
        """What the tenant's service account may do, such as `list pods`."""
        self.lag = 0.1
        """Seconds until a controller has observed a change and updates the status."""
        self.progress_deadline = 600.0
        """`progressDeadlineSeconds` of every Deployment."""
        self.clear()

    def clear(self) -> None:
        """Forget the tokens and the events."""
        self.issued: dict[str, IssuedToken] = {}
        self.events = Events(self._world)

    def issue(self, tenant: Tenant) -> dict[str, Any]:
        """Issue a token and return the portal's description of the access."""
        token = self._new_token(tenant)
        described = {
            "Name": "sandbox",
            "ApiServer": self.server,
            "Token": token,
            "K8Provider": 0,
            "AwsRegion": tenant.region,
            "K8sVersion": "1.30",
            "CertificateAuthorityDataBase64": base64.b64encode(authority_pem().encode()).decode(),
            "DefaultNamespace": namespace_of(tenant.name),
            "LastTokenRefreshTime": f"{self._world.now():%Y-%m-%dT%H:%M:%SZ}",
        }
        changed = {**described, **self.changes}
        return {key: value for key, value in changed.items() if value is not None}

    def tenant_of(self, token: str) -> Tenant | None:
        """Return the tenant whose valid token this is."""
        issued = self.issued.get(token)
        return issued.tenant if issued and self._world.at < issued.ends_at else None

    def revoke(self) -> None:
        """End all tokens now."""
        self.issued.clear()

    def _new_token(self, tenant: Tenant) -> str:
        now = int(self._world.now().timestamp())
        claims = {
            "iss": "https://kubernetes.example",
            "sub": f"system:serviceaccount:{namespace_of(tenant.name)}:{account_of(tenant.name)}",
            "iat": now,
            "exp": now + int(self.lifetime),
            "jti": str(len(self.issued)),
        }
        header = {"alg": "RS256", "kid": "sandbox"}
        token = ".".join((_encoded(header), _encoded(claims), CLUSTER_SIGNATURE))
        self.issued[token] = IssuedToken(tenant, self._world.at + self.lifetime)
        return token


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
