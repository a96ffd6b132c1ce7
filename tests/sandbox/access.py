"""Tenants and tokens, and the access that a token grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.issued_secrets import CONSOLE_TOKEN, SECRET_KEY, SESSION_TOKEN
from tests.sandbox.stamp import guid


@dataclass
class Tenant:
    """A tenant of the portal."""

    name: str
    id: str
    cloud: int = 0
    region: str = "us-west-2"
    metadata: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return the tenant as the portal lists it."""
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
        """Return the features of the tenant's infrastructure."""
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
class AwsAccess:
    """The temporary AWS credentials that the portal issues; `issued` holds their key ids.

    With a `status` of an error the reply is `text`; `changes` replaces fields, None removes one.
    """

    status: int = 200
    text: str = ""
    validity: int = 3600
    region: str = "eu-west-1"
    changes: dict[str, Any] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """Issue credentials and return them as the portal does."""
        self.issued.append(f"ASIASANDBOX{len(self.issued):09d}")
        credentials = {
            "ConsoleUrl": f"https://signin.example.com/federation?token={CONSOLE_TOKEN}",
            "AccessKeyId": self.issued[-1],
            "SecretAccessKey": SECRET_KEY,
            "SessionToken": SESSION_TOKEN,
            "Region": self.region,
            "Validity": self.validity,
        }
        changed = {**credentials, **self.changes}
        return {key: value for key, value in changed.items() if value is not None}


@dataclass
class Token:
    """A token and the access that it grants."""

    value: str
    user: str = "ci-bot"
    tenants: list[str] | None = None
    """Names of the tenants that it may use; None means all."""
    read_only: bool = False

    def opens(self, tenant: Tenant) -> bool:
        """Return whether the token may use the tenant."""
        return self.tenants is None or tenant.name in self.tenants

    def role_info(self) -> dict[str, Any]:
        """Return the portal's description of its owner; holds a secret that must not be printed."""
        return {
            "Username": self.user,
            "Roles": ["User"] if self.tenants is not None else ["Administrator"],
            "IsReadOnly": self.read_only,
            "State": "Active",
            "Permissions": [],
            "CurrentSessionToken": f"session-{guid(self.value)}",
        }


def tenant_id_for(name: str) -> str:
    """Return the id of a tenant for which none is given."""
    return guid(f"tenant/{name}")
