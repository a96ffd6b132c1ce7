"""What Kubernetes itself reports of a tenant's services, with access that the portal issues.

Only reads. The JSON of its objects ends in `objects`.
"""

from pipe.kubernetes.cluster import (
    REMEDY,
    REMEDY_FOR_RIGHTS,
    RIGHTS,
    Cluster,
    Right,
    connect,
    selector,
)
from pipe.kubernetes.objects import (
    GAVE_UP,
    Condition,
    Event,
    Workload,
    WorkloadKind,
)

__all__ = [
    "GAVE_UP",
    "REMEDY",
    "REMEDY_FOR_RIGHTS",
    "RIGHTS",
    "Cluster",
    "Condition",
    "Event",
    "Right",
    "Workload",
    "WorkloadKind",
    "connect",
    "selector",
]
