"""Names and ids of a tenant's objects in Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.stamp import guid

if TYPE_CHECKING:
    from tests.sandbox.pods import Pod


def namespace_of(tenant: str) -> str:
    """Return the namespace that holds the objects of a tenant, given by name."""
    return f"duploservices-{tenant}"


def account_of(tenant: str) -> str:
    """Return the service account whose token the portal hands out."""
    return f"{namespace_of(tenant)}-edit-user"


def pod_uid(pod: Pod) -> str:
    """Return the uid of a pod: another one for each pod, even under the same name."""
    return guid(f"{pod.tenant_id}/{pod.name}/{pod.index}")


def uid_of(namespace: str, kind: str, name: str) -> str:
    """Return the uid of any other object."""
    return guid(f"{namespace}/{kind}/{name}")
