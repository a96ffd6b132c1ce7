"""Who may do what: tenants and tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.stamp import guid


@dataclass
class Tenant:
    """A tenant, in which services live."""

    name: str
    id: str
    cloud: int = 0
    region: str = "us-west-2"
    metadata: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The tenant as the portal lists it."""
        return {
            "TenantId": self.id,
            "AccountName": self.name,
            "PlanID": "nonprod",
            "InfraOwner": "nonprod",
            "Expiry": None,
            "PauseTime": None,
            "CreationTime": "2025-11-20T08:00:00Z",
            "ExistingK8sNamespace": None,
            "Tags": None,
            "Metadata": [{"Key": key, "Value": value} for key, value in self.metadata.items()],
        }

    def features(self) -> dict[str, Any]:
        """What the tenant's infrastructure can do."""
        return {
            "Region": self.region,
            "Cloud": self.cloud,
            "IsKubernetesEnabled": True,
            "KubernetesType": {2: 1, 3: 2}.get(self.cloud, 0),
            "UseLbIndex": True,
            "TenantMetadata": [{"Key": key, "Value": text} for key, text in self.metadata.items()],
            "PlanMetadata": [],
            "InfraMetadata": None,
            "IsK8sServerless": False,
        }


@dataclass
class Token:
    """A token and what it opens."""

    value: str
    user: str = "ci-bot"
    tenants: list[str] | None = None
    """Names of the tenants it may use; None means all."""
    read_only: bool = False

    def opens(self, tenant: Tenant) -> bool:
        """Whether the tenant may be used with it."""
        return self.tenants is None or tenant.name in self.tenants

    def role_info(self) -> dict[str, Any]:
        """What the portal says about its owner; holds a secret that nobody must print."""
        return {
            "Username": self.user,
            "Roles": ["User"] if self.tenants is not None else ["Administrator"],
            "IsReadOnly": self.read_only,
            "State": "Active",
            "Permissions": [],
            "CurrentSessionToken": f"session-{guid(self.value)}",
        }


def tenant_id_for(name: str) -> str:
    """The id a tenant gets when none is given."""
    return guid(f"tenant/{name}")
