"""Check the access to Kubernetes by which services are followed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from pipe.errors import ExitCode, PipeError, PlatformError
from pipe.kind import Kind
from pipe.kinds.service.cluster_view import find_workloads, lacking, needed_rights, workload_kind
from pipe.kubernetes import Cluster, WorkloadKind, connect
from pipe.portal import TenantPortal
from pipe.preflight.checker import Checker
from pipe.preflight.connection import Trust, check_connection
from pipe.preflight.result import CheckStatus, failed
from pipe.settings import KubernetesView

T = TypeVar("T")

_ACCESS, _RIGHTS, _WORKLOADS = "Kubernetes access", "Kubernetes rights", "Kubernetes workloads"
_SECONDS = 2.0
"""To connect in: a deploy waits no longer either, because API servers are often private."""
_ADDRESS = "the API server's address"
_PRIVATE = "API servers are often private: run the step on a runner inside the cluster's network"
_OTHERWISE = "otherwise rollouts are followed by what the portal shows"


def check_kubernetes(checker: Checker, tenant: TenantPortal) -> None:
    """Check what a deploy of services would ask Kubernetes for; nothing where it would not ask."""
    settings = checker.settings
    names = {one.target.name for one in settings.image_requests if one.target.kind is Kind.SERVICE}
    if not names or not settings.wait or settings.kubernetes is KubernetesView.NEVER:
        return
    check = _KubernetesCheck(checker, is_required=settings.kubernetes is KubernetesView.ALWAYS)
    services = checker.attempt(_ACCESS, tenant.services.list) or ()
    followed = [one for one in services if one.name in names and not one.native_docker]
    if followed:
        check.run(tenant, {one.name: workload_kind(one) for one in followed})


@dataclass(frozen=True)
class _KubernetesCheck:
    """The checks, of which a failed one only stops a deploy if Kubernetes `is_required`."""

    checker: Checker
    is_required: bool

    def run(self, tenant: TenantPortal, kinds: Mapping[str, WorkloadKind]) -> None:
        """Make them, as far as each leads to the next."""
        checker = self.checker
        cluster = self._attempt(_ACCESS, lambda: connect(tenant, checker.network, checker.mask))
        if cluster is None:
            return
        issued = cluster.issued
        end = f"ends on {issued.end.shown}" if issued.end else "nothing shows when it ends"
        message = f"issued by the portal for {issued.host}, namespace {issued.namespace}; {end}"
        checker.passed(_ACCESS, message)
        if self._connects(cluster) and self._has_rights(cluster, kinds):
            self._finds(cluster, kinds)

    def _connects(self, cluster: Cluster) -> bool:
        trust = None
        if cluster.context:
            given = " and CA_CERT" if self.checker.network.ca_cert else ""
            trust = Trust(cluster.context, f"the authority that the portal issued{given}")
        network, server = self.checker.network, cluster.issued.server
        result = check_connection(
            "Kubernetes", server, _ADDRESS, network, trust=trust, seconds=_SECONDS
        )
        is_reached = result.status is not CheckStatus.FAILED
        if not is_reached and not self.is_required:
            result = replace(result, status=CheckStatus.UNKNOWN, code=ExitCode.DONE)
        if not is_reached:
            result = replace(result, remedy=f"{_PRIVATE}; {self._alternative()}. {result.remedy}")
        self.checker.report(result)
        return is_reached

    def _has_rights(self, cluster: Cluster, kinds: Mapping[str, WorkloadKind]) -> bool:
        needed = needed_rights(set(kinds.values()))
        missing = self._attempt(_RIGHTS, lambda: cluster.missing_rights(needed))
        if missing is None:
            return False
        granted = ", ".join(str(right) for right in needed if right not in missing)
        if required := [right for right in missing if right.required]:
            remedy = f"Give its service account in Kubernetes these rights; {self._alternative()}."
            self._refused(_RIGHTS, PlatformError(lacking(cluster, required).diagnosis, remedy))
            return False
        if missing:
            lack = ", ".join(map(str, missing))
            words = f"{granted}; not {lack}, without which a failure is explained by less"
            self.checker.unknown(_RIGHTS, words)
        else:
            self.checker.passed(_RIGHTS, granted)
        return True

    def _finds(self, cluster: Cluster, kinds: Mapping[str, WorkloadKind]) -> None:
        found = self._attempt(_WORKLOADS, lambda: find_workloads(cluster, kinds))
        if found is None:
            return
        absent = [f"{kinds[name]} {name}" for name in sorted(kinds.keys() - found.keys())]
        if absent:
            self._refused(
                _WORKLOADS,
                PlatformError(
                    f"There is no {' and no '.join(absent)} in namespace "
                    f"{cluster.issued.namespace} of {cluster.issued.host}.",
                    "Check that the portal runs the service under its own name; "
                    f"{self._alternative()}.",
                ),
            )
        else:
            words = ", ".join(f"{kinds[name]} {name}" for name in sorted(found))
            self.checker.passed(_WORKLOADS, f"found: {words}")

    def _alternative(self) -> str:
        return "or set KUBERNETES: 'auto'" if self.is_required else _OTHERWISE

    def _attempt(self, name: str, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except PipeError as error:
            self._refused(name, error)
            return None

    def _refused(self, name: str, error: PipeError) -> None:
        """Report a refusal, which a deploy that does without Kubernetes survives."""
        result = failed(name, error)
        if not self.is_required:
            result = replace(result, status=CheckStatus.UNKNOWN, code=ExitCode.DONE)
        self.checker.report(result)
