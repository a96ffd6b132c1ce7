"""The platform's HTTP API: dictionaries in, frozen types out, both generations hidden."""

from pipe.portal.client import BearerAuth, Portal, TenantPortal
from pipe.portal.model import Container, Fault, Listener, Phase, Pod, Service, Tenant

__all__ = [
    "BearerAuth",
    "Container",
    "Fault",
    "Listener",
    "Phase",
    "Pod",
    "Portal",
    "Service",
    "Tenant",
    "TenantPortal",
]
