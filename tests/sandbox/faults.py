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
        self.listed: list[Fault] = []

    def report(self, fault: Fault) -> Fault:
        """List the fault; the same text about the same resource only counts up."""
        for known in self.listed:
            same = (known.tenant_id, known.resource, known.per_service) == (
                fault.tenant_id,
                fault.resource,
                fault.per_service,
            )
            if same and known.description == fault.description:
                known.seen = fault.seen
                return known
        self.listed.append(fault)
        return fault

    def drop(self, fault: Fault) -> None:
        """Stop listing the fault."""
        self.listed = [known for known in self.listed if known is not fault]

    def of_tenant(self, tenant_id: str) -> list[Fault]:
        """Return the faults that the tenant sees."""
        return [fault for fault in self.listed if fault.tenant_id == tenant_id]
