"""Check exchanges with the portal against the vendor's generated models.

The models mark every field as optional and ignore unknown keys, so loading alone would verify
only types. Input and output are therefore compared: a key that is lost is either listed in
`BEYOND_THE_MODELS`, with the reason, or does not exist in the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from duplocloud_sdk.models.aws_access_info import AwsAccessInfo
from duplocloud_sdk.models.aws_register_task_definition_request import (
    AwsRegisterTaskDefinitionRequest,
)
from duplocloud_sdk.models.aws_task import AwsTask
from duplocloud_sdk.models.aws_task_definition import AwsTaskDefinition
from duplocloud_sdk.models.container_image import ContainerImage
from duplocloud_sdk.models.container_log_request import ContainerLogRequest
from duplocloud_sdk.models.container_log_response import ContainerLogResponse
from duplocloud_sdk.models.container_state import ContainerState
from duplocloud_sdk.models.container_state_request import ContainerStateRequest
from duplocloud_sdk.models.ecs_service import EcsService
from duplocloud_sdk.models.fault_info import FaultInfo
from duplocloud_sdk.models.function_configuration import FunctionConfiguration
from duplocloud_sdk.models.k8_cluster_config import K8ClusterConfig
from duplocloud_sdk.models.lb_configuration import LBConfiguration
from duplocloud_sdk.models.load_balancer import LoadBalancer
from duplocloud_sdk.models.master_features import MasterFeatures
from duplocloud_sdk.models.pod import Pod
from duplocloud_sdk.models.replication_controller import ReplicationController
from duplocloud_sdk.models.replication_controller_change_request import (
    ReplicationControllerChangeRequest,
)
from duplocloud_sdk.models.task_definition_request import TaskDefinitionRequest
from duplocloud_sdk.models.tenant import Tenant
from duplocloud_sdk.models.tenant_features import TenantFeatures

from tests.conformance.kubernetes_objects import KubernetesJob
from tests.sandbox.kinds import KINDS
from tests.sandbox.record import RequestRecord, parsed

VOID_BODIES = ("", "null", '""')
# With these faults the body was altered on purpose, or never sent.
TAMPERED = frozenset({"status", "truncated", "html", "huge", "redirect", "rate-exceeded"})
BEYOND_THE_MODELS = frozenset(
    {
        "RestartCount",  # from another version of the API's description
        "LastContainerState",  # the same
        "StartTime",  # the same
        "ResourceName",  # faults in the form of Azure
        "ResourceNamePrefix",  # other clients read it from the portal's features
        "IsInitContainer",  # from a second model of the same request
    }
)


class Model(Protocol):
    """The interface of the generated models."""

    @classmethod
    def from_dict(cls, obj: dict[str, Any] | None) -> Any:
        """Load parsed JSON, checking types."""


class ConformanceError(AssertionError):
    """A body that does not fit the vendor's models."""


@dataclass(frozen=True)
class Exchange:
    """The request and response of a route."""

    method: str
    path: str
    request: type[Model] | None = None
    response: type[Model] | None = None
    listed: bool = False
    """Whether the response is a list."""
    void: bool = False
    """Whether the response has no content."""
    free: bool = False
    """Whether no model describes the response."""


_V2 = r"/subscriptions/[^/]+"
_V3 = r"/v3/subscriptions/[^/]+"
_CONTAINERS = rf"{_V3}/containers/replicationcontroller/[^/]+"
EXCHANGES = (
    Exchange("GET", "/admin/GetTenantsForUser", response=Tenant, listed=True),
    Exchange("GET", "/adminproxy/GetTenantNames", response=Tenant, listed=True),
    Exchange("GET", "/admin/GetUserRoleInfo", free=True),
    Exchange("GET", "/v3/version", free=True),
    Exchange("GET", "/v3/features/system", response=MasterFeatures),
    Exchange("GET", r"/v3/features/tenant/[^/]+", response=TenantFeatures),
    Exchange(
        "GET", f"{_V2}/GetReplicationControllers", response=ReplicationController, listed=True
    ),
    Exchange("GET", f"{_V3}/replicationcontroller/[^/]+", response=ReplicationController),
    Exchange("PUT", f"{_CONTAINERS}/containerimage", request=ContainerImage, void=True),
    Exchange("PUT", rf"{_CONTAINERS}/rollback(/\d+)?", void=True),
    Exchange(
        "POST",
        f"{_V2}/ReplicationController(Change|BulkChange|BulkChangeAll)",
        request=ReplicationControllerChangeRequest,
        void=True,
    ),
    Exchange("POST", f"{_V2}/ReplicationController(Reboot|Stop|Start)/[^/]+", void=True),
    Exchange("GET", f"{_V2}/GetAwsConsoleTokenUrl", response=AwsAccessInfo),
    Exchange("GET", f"{_V2}/GetK8ClusterConfigByTenant", response=K8ClusterConfig),
    Exchange("GET", f"{_V3}/k8s/jitAccess", response=K8ClusterConfig),
    # Not the portal's but Kubernetes' own.
    Exchange("GET", "/(api/v1|apis/apps/v1)/namespaces/.*", free=True),
    Exchange("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", free=True),
    Exchange("GET", f"{_V2}/GetPods", response=Pod, listed=True),
    Exchange("GET", f"{_V2}/GetFaultsByTenant", response=FaultInfo, listed=True),
    Exchange(
        "POST",
        f"{_V2}/findContainerLogs",
        request=ContainerLogRequest,
        response=ContainerLogResponse,
    ),
    Exchange(
        "POST",
        f"{_V2}/FindContainerState",
        request=ContainerStateRequest,
        response=ContainerState,
    ),
    Exchange("GET", f"{_V2}/GetLBConfigurations", response=LBConfiguration, listed=True),
    Exchange("GET", rf"{_V2}/GetLbDetailsInService/[^/]+", response=LoadBalancer),
    Exchange("GET", f"{_CONTAINERS}/lbDetails", free=True),
    Exchange("GET", f"{_V3}/k8s/job", response=KubernetesJob, listed=True),
    Exchange("GET", f"{_V3}/k8s/job/[^/]+", response=KubernetesJob),
    Exchange("POST", f"{_V3}/k8s/job", request=KubernetesJob, response=KubernetesJob),
    Exchange("PUT", f"{_V3}/k8s/job/[^/]+", request=KubernetesJob, response=KubernetesJob),
    Exchange("DELETE", f"{_V3}/k8s/job/[^/]+", void=True),
    Exchange("GET", f"{_V2}/GetEcsServices", response=EcsService, listed=True),
    Exchange("GET", f"{_V2}/GetEcsTasks", response=AwsTask, listed=True),
    Exchange("GET", rf"{_V2}/GetEcsServiceDetails/[^/]+", free=True),
    Exchange("GET", f"{_V2}/GetEcsTaskDefinitionArns", free=True),
    Exchange("GET", rf"{_V3}/aws/ecs/service(/taskDefFamily/[^/]+)?", free=True),
    Exchange("GET", rf"{_V3}/aws/ecs/taskDefFamily/[^/]+", free=True),
    Exchange(
        "POST",
        f"{_V2}/FindEcsTaskDefinition",
        request=TaskDefinitionRequest,
        response=AwsTaskDefinition,
    ),
    Exchange(
        "POST",
        f"{_V2}/UpdateEcsTaskDefinition",
        request=AwsRegisterTaskDefinitionRequest,
        free=True,
    ),
    Exchange("POST", f"{_V2}/UpdateEcsService", request=EcsService, void=True),
    Exchange("GET", f"{_V2}/GetLambdaFunctions", response=FunctionConfiguration, listed=True),
    *(
        Exchange(method, path, free=True)
        for kind in KINDS.values()
        for method, path in kind.unmodelled
    ),
)


def check_log(records: Iterable[RequestRecord]) -> None:
    """Check every exchange of a log."""
    for record in records:
        check_exchange(record)


def check_exchange(record: RequestRecord) -> None:
    """Check one exchange; raises `ConformanceError` with the difference."""
    exchange = _exchange_for(record)
    if exchange is None:
        # A client may try a route that the portal does not have.
        if record.status in (None, 401, 404, 405) or record.fault in TAMPERED:
            return
        raise ConformanceError(f"{_name(record)}: no model is known for this route")
    if exchange.request is not None:
        try:
            _load_all(exchange.request, record.body)
        except ConformanceError as problem:
            raise ConformanceError(f"{_name(record)} request: {problem}") from problem
    succeeded = record.status is not None and 200 <= record.status < 300
    if succeeded and record.fault not in TAMPERED:
        _check_response(record, exchange)


def _exchange_for(record: RequestRecord) -> Exchange | None:
    path = re.sub("//+", "/", record.path)
    for exchange in EXCHANGES:
        if exchange.method == record.method and re.fullmatch(exchange.path, path, re.IGNORECASE):
            return exchange
    return None


def _check_response(record: RequestRecord, exchange: Exchange) -> None:
    where = f"{_name(record)} response"
    if exchange.free:
        return
    if exchange.void:
        if record.response_text not in VOID_BODIES:
            raise ConformanceError(f"{where}: {record.response_text[:80]!r} is not an empty result")
        return
    try:
        _check_text(exchange, record.response_text)
    except ConformanceError as problem:
        raise ConformanceError(f"{where}: {problem}") from problem


@lru_cache(1024)
def _check_text(exchange: Exchange, text: str) -> None:
    """Check a response; a client that polls gets the same one again and again."""
    assert exchange.response is not None
    body = parsed(text)
    # Null means an empty list, or an object that does not exist.
    if body is None:
        return
    if isinstance(body, list) != exchange.listed:
        raise ConformanceError(f"a list {'was' if exchange.listed else 'was not'} expected")
    _load_all(exchange.response, body)


def _load_all(model: type[Model], body: Any) -> None:
    for entry in body if isinstance(body, list) else [body]:
        if not isinstance(entry, dict):
            raise ConformanceError(f"{entry!r} is not an object")
        try:
            loaded = model.from_dict(entry)
        except (TypeError, ValueError, AttributeError) as problem:
            raise ConformanceError(f"does not load: {problem}") from problem
        unknown = set(_lost(entry, loaded.to_dict())) - BEYOND_THE_MODELS
        if unknown:
            raise ConformanceError(f"unknown or of another type: {', '.join(sorted(unknown))}")


def _lost(sent: Any, loaded: Any) -> Iterator[str]:
    """Yield the keys whose values are missing or different after loading."""
    if isinstance(sent, dict) and isinstance(loaded, dict):
        for key, value in sent.items():
            # The models leave nulls out, so that a null under an unknown key goes unnoticed.
            if value is None:
                continue
            if key not in loaded or _converted(value, loaded[key]):
                yield key
            else:
                yield from _lost(value, loaded[key])
    if isinstance(sent, list) and isinstance(loaded, list):
        for one, other in zip(sent, loaded, strict=False):
            yield from _lost(one, other)


def _converted(sent: Any, loaded: Any) -> bool:
    """Return whether a plain value fitted only after a conversion, as text does for a number."""
    plain = isinstance(sent, str | int | float) and not isinstance(loaded, datetime)
    return plain and bool(sent != loaded)


def _name(record: RequestRecord) -> str:
    return f"{record.method} {record.path}"
