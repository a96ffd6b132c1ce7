"""The platform's HTTP API: dictionaries in, frozen types out, both generations hidden."""

from pipe.portal.client import Portal, TenantPortal
from pipe.portal.connect import choose, connect
from pipe.portal.cronjobs import CronJob
from pipe.portal.ecs import Deployment, EcsService, TaskDefinition
from pipe.portal.functions import Function
from pipe.portal.model import Container, Fault, Listener, Phase, Pod, Service, Tenant

__all__ = [
    "Container",
    "CronJob",
    "Deployment",
    "EcsService",
    "Fault",
    "Function",
    "Listener",
    "Phase",
    "Pod",
    "Portal",
    "Service",
    "TaskDefinition",
    "Tenant",
    "TenantPortal",
    "choose",
    "connect",
]
