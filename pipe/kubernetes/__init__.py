"""What Kubernetes itself reports of a tenant's services, with access that the portal issues.

Only reads. The JSON of its objects ends here.
"""

from pipe.kubernetes.cluster import REMEDY, Cluster, connect, selector
from pipe.kubernetes.events import Event
from pipe.kubernetes.rights import REMEDY_FOR_RIGHTS, RIGHTS, Right
from pipe.kubernetes.workloads import GAVE_UP, Condition, Workload, WorkloadKind

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
