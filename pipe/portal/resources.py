"""Everything that the package shows of the portal's resources."""

from pipe.portal.client import TenantPortal
from pipe.portal.cronjobs import CronJob
from pipe.portal.ecs import Deployment, EcsService, Event, TaskDefinition
from pipe.portal.ecs_tasks import EcsTask, EcsTasks, TaskContainer
from pipe.portal.faults import Fault
from pipe.portal.functions import Function
from pipe.portal.pods import Container, Phase, Pod, Termination
from pipe.portal.portal import Portal
from pipe.portal.service_body import Listener, Service
from pipe.portal.tenants import Tenant, User, choose

__all__ = [
    "Container",
    "CronJob",
    "Deployment",
    "EcsService",
    "EcsTask",
    "EcsTasks",
    "Event",
    "Fault",
    "Function",
    "Listener",
    "Phase",
    "Pod",
    "Portal",
    "Service",
    "TaskContainer",
    "TaskDefinition",
    "Tenant",
    "TenantPortal",
    "Termination",
    "User",
    "choose",
]
