"""The rights that following a rollout needs, and asking the API server for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipe.kubernetes.workloads import WorkloadKind
from pipe.portal.fields import nested, required_object

REVIEWS = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
REMEDY_FOR_RIGHTS = (
    "Give the tenant's service account in Kubernetes these rights, or set KUBERNETES: 'auto' to "
    "follow the rollout by what the portal shows."
)


@dataclass(frozen=True)
class Right:
    """A right in the tenant's namespace; without a `required` one nothing can be followed."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    required: bool = True

    def __str__(self) -> str:
        """Return it in the words of Kubernetes."""
        return f"{self.verb} {'/'.join(filter(None, (self.resource, self.subresource)))}"

    def review(self, namespace: str) -> dict[str, Any]:
        """Return the SelfSubjectAccessReview that asks for it."""
        attributes = {
            "namespace": namespace,
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "subresource": self.subresource,
        }
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }


RIGHTS = (
    Right("list", "pods"),
    *(Right("list", kind.plural, "apps") for kind in WorkloadKind),
    Right("list", "events", required=False),
    Right("get", "pods", subresource="log", required=False),
)


def is_allowed(body: Any) -> bool:
    """Decode a SelfSubjectAccessReview."""
    return nested(required_object(body), "status").get("allowed") is True
