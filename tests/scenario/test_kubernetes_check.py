"""`ACTION: check` shows what stands between the pipe and Kubernetes, with a remedy for each."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.sandbox import Server
from tests.sandbox.kubernetes.cluster import RIGHTS
from tests.sandbox.kubernetes.server import KubernetesServer
from tests.support.harness import Harness, RunResult

Facts = Mapping[str, Mapping[str, Any]]


class Checks:
    """Runs of ACTION: check against a portal and an API server over real sockets."""

    def __init__(self, harness: Harness, portal: Server) -> None:
        self.harness = harness
        self.cluster = harness.world.kubernetes
        self._portal = portal
        self.result: RunResult

    def facts(self, **variables: str) -> Facts:
        """Return the checks about Kubernetes by name."""
        usual = {
            "ACTION": "check",
            "DUPLO_HOST": self._portal.url,
            "DUPLO_TOKEN": self.harness.world.token,
            "TENANT": "dev01",
            "SERVICE": "web",
            "IMAGE": "team/web:1.4.2",
            "VERIFY_IMAGE": "false",
            "REPORT_DIR": str(self.harness.report_dir),
            "BITBUCKET_CLONE_DIR": str(self.harness.folder),
        }
        self.result = self.harness.run_with(usual | variables, sockets=True)
        assert not self.harness.world.write_attempts()
        checks = self.result.report["checks"]
        return {one["name"]: one for one in checks if "Kubernetes" in one["name"]}


@pytest.fixture
def checks(tmp_path: Path) -> Iterator[Checks]:
    """A portal that hands out access to a server with a certificate of the cluster's authority."""
    harness = Harness(tmp_path, kubernetes=True)
    harness.web()
    with Server(harness.world) as portal, KubernetesServer(harness.world):
        yield Checks(harness, portal)


def statuses(facts: Facts) -> list[str]:
    """Return how the checks ended, in their order."""
    return [str(fact["status"]) for fact in facts.values()]


def test_everything_that_a_deploy_needs_of_kubernetes_is_shown(checks: Checks) -> None:
    """Address, namespace, end of the access, certificate and issuer, rights, the workload."""
    facts = checks.facts()
    assert statuses(facts) == ["passed"] * 4
    access, connection, rights, workloads = (fact["message"] for fact in facts.values())
    assert "namespace duploservices-dev01; ends on 2026-02-03" in access
    assert "reached directly; TLSv1." in connection
    assert "certificate of localhost, 127.0.0.1" in connection
    assert 'issued by "' in connection
    assert connection.endswith("verified against the authority that the portal issued")
    assert rights == "list pods, list deployments, list events, get pods/log"
    assert workloads == "found: Deployment web"
    assert checks.result.code == 0


def test_a_portal_that_issues_no_access_stops_no_deploy(checks: Checks) -> None:
    """The fact is unknown, with a remedy; nothing else is tried."""
    checks.cluster.enabled = False
    (fact,) = checks.facts().values()
    assert fact["status"] == "unknown"
    assert "issues no access to Kubernetes" in fact["message"]
    assert "Allow the service account access" in fact["remedy"]
    assert checks.result.code == 0


def test_it_fails_where_kubernetes_is_required(checks: Checks) -> None:
    """With the exit code that a deploy would end with."""
    checks.cluster.enabled = False
    assert statuses(checks.facts(KUBERNETES="true")) == ["failed"]
    assert checks.result.code == 4


@pytest.mark.parametrize("variables", [{"KUBERNETES": "false"}, {"WAIT": "false"}], ids=str)
def test_nothing_is_requested_that_a_deploy_would_not_request(
    checks: Checks, variables: dict[str, str]
) -> None:
    assert checks.facts(**variables) == {}
    assert not checks.harness.requests("k8s")


def test_a_closed_port_is_reported_with_where_to_run_instead(checks: Checks) -> None:
    """The rights are not asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        checks.cluster.server = f"https://127.0.0.1:{listener.getsockname()[1]}"
    facts = checks.facts()
    assert statuses(facts) == ["passed", "unknown"]
    connection = facts["connection to Kubernetes"]
    assert "refused the connection" in connection["message"]
    assert "a runner inside the cluster's network; otherwise" in connection["remedy"]


def test_a_certificate_of_another_authority_is_refused(checks: Checks) -> None:
    """What the server presents is described; it is never used unverified."""
    with KubernetesServer(checks.harness.world, signed_by=trustme.CA()):
        facts = checks.facts(KUBERNETES="true")
    assert statuses(facts) == ["passed", "failed"]
    connection = facts["connection to Kubernetes"]
    assert "is not trusted" in connection["message"]
    assert "or set KUBERNETES: 'auto'" in connection["remedy"]
    assert not checks.harness.requests("selfsubjectaccessreviews")


def test_missing_rights_are_named(checks: Checks) -> None:
    """Those without which nothing can be followed; the remedy says whom to give them."""
    checks.cluster.rights = RIGHTS - {"list pods", "list deployments"}
    facts = checks.facts()
    assert statuses(facts) == ["passed", "passed", "unknown"]
    rights = facts["Kubernetes rights"]
    assert "lacks the rights to list pods and list deployments" in rights["message"]
    assert rights["remedy"].startswith("Give its service account in Kubernetes these rights")


def test_rights_that_only_explain_failures_are_not_required(checks: Checks) -> None:
    """Even where Kubernetes is."""
    checks.cluster.rights = RIGHTS - {"list events"}
    facts = checks.facts(KUBERNETES="true")
    assert statuses(facts) == ["passed", "passed", "unknown", "passed"]
    assert "not list events" in facts["Kubernetes rights"]["message"]
    assert checks.result.code == 0


def test_an_expired_token_is_reported(checks: Checks) -> None:
    """As the API server does, not by the clock of this machine."""
    checks.cluster.lifetime = 0.0
    facts = checks.facts()
    assert statuses(facts) == ["passed", "passed", "unknown"]
    assert "refuses the token" in facts["Kubernetes rights"]["message"]
