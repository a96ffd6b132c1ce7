"""The portal's HTTP API, one module for each resource.

A module holds the resource's types, their decoding from JSON, and its API; dictionaries go no
further. The first request needs none of the resources, so they are loaded when one is first named
(see `pipe.loading`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipe.portal.resources import (
        Container,
        CronJob,
        Deployment,
        EcsService,
        EcsTask,
        EcsTasks,
        Event,
        Fault,
        Function,
        Listener,
        Phase,
        Pod,
        Portal,
        Service,
        TaskContainer,
        TaskDefinition,
        Tenant,
        TenantPortal,
        Termination,
        User,
        choose,
    )

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


def __getattr__(name: str) -> object:
    """Return a name of `pipe.portal.resources`."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module("pipe.portal.resources"), name)
