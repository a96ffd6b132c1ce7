"""The platform's HTTP API: dictionaries in, frozen types out, both generations hidden."""

from pipe.portal.client import Portal, TenantPortal
from pipe.portal.connect import choose, connect
from pipe.portal.model import Container, Fault, Phase, Pod, Service, Tenant

__all__ = [
    "Container",
    "Fault",
    "Phase",
    "Pod",
    "Portal",
    "Service",
    "Tenant",
    "TenantPortal",
    "choose",
    "connect",
]
