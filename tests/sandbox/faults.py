"""The faults of the tenants: raised by pods, outliving them, in two forms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.sandbox.stamp import stamp


@dataclass
class Fault:
    """An entry of the list of faults."""

    tenant_id: str
    account: str
    resource: str
    description: str
    severity: int
    seen: datetime
    per_service: bool = False
    """The form of Azure portals: names the service, not the pod."""

    @property
    def key(self) -> tuple[str, str, bool, str]:
        """What faults differ by."""
        return self.tenant_id, self.resource, self.per_service, self.description

    def body(self) -> dict[str, Any]:
        """Return the fault as the portal shows it."""
        shared = {
            "TenantId": self.tenant_id,
            "AccountName": self.account,
            "ModuleName": "K8sPodMonitor",
            "ResourceId": "",
            "Description": self.description,
            "StackTrace": None,
            "LastSeen": stamp(self.seen),
            "Severity": self.severity,
        }
        if self.per_service:
            return {**shared, "ResourceName": self.resource}
        pod = {
            "QualifiedType": "kubernetes:v1/Pod",
            "NativeId": self.resource,
            "Name": self.resource,
        }
        return {**shared, "Resource": pod}


class FaultList:
    """All faults that are listed at the moment."""

    def __init__(self) -> None:
        self._listed: dict[tuple[str, str, bool, str], Fault] = {}

    @property
    def listed(self) -> list[Fault]:
        """All faults, in the order in which they were first reported."""
        return list(self._listed.values())

    def report(self, fault: Fault) -> Fault:
        """List the fault; the same text about the same resource only counts up."""
        known = self._listed.setdefault(fault.key, fault)
        known.seen = fault.seen
        return known

    def drop(self, fault: Fault) -> None:
        """Stop listing the fault."""
        if self._listed.get(fault.key) is fault:
            del self._listed[fault.key]

    def of_tenant(self, tenant_id: str) -> list[Fault]:
        """Return the faults that the tenant sees."""
        return [fault for fault in self.listed if fault.tenant_id == tenant_id]
