"""What Kubernetes itself reports of a tenant's services, with access that the portal issues.

Only reads. The JSON of its objects ends in `objects`.
"""

from pipe.kubernetes.cluster import RIGHTS, Cluster, Right, connect, selector
from pipe.kubernetes.objects import (
    GAVE_UP,
    Condition,
    Event,
    Workload,
    WorkloadKind,
)

__all__ = [
    "GAVE_UP",
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
