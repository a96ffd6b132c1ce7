"""Access to Kubernetes as the portal issues it: what is accepted, and how the API server is met."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import trustme

from pipe.clock import SystemClock
from pipe.errors import PlatformError, Unreachable
from pipe.http import HttpClient, Limits, Network
from pipe.http.session import proxy_for
from pipe.http.tls import private_context
from pipe.kubernetes import Cluster
from pipe.portal.kubernetes_access import IssuedAccess, UnusableAccess, decode
from pipe.secret import Secret
from pipe.settings import Proxies
from tests.sandbox import World
from tests.sandbox.kubernetes.authority import authority_pem
from tests.sandbox.kubernetes.server import KubernetesServer

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
BODY = {
    "ApiServer": "https://10.0.0.5:6443/",
    "Token": "header.claims.signature",
    "CertificateAuthorityDataBase64": base64.b64encode(f"{PEM}\n".encode()).decode(),
    "DefaultNamespace": "duploservices-dev01",
}
SHORT = Limits(connect=0.2, read=0.2, whole=0.5, tries=1)


def test_an_answer_becomes_typed_access() -> None:
    issued = decode(BODY, "duploservices-other")
    expected = IssuedAccess(
        "https://10.0.0.5:6443", PEM, Secret("header.claims.signature"), "duploservices-dev01"
    )
    assert issued == expected
    assert issued.host == "10.0.0.5:6443"


def test_without_an_authority_and_a_namespace_the_usual_ones_apply() -> None:
    """Azure names no authority: the certificate is from a public one."""
    body = {**BODY, "CertificateAuthorityDataBase64": None, "DefaultNamespace": ""}
    issued = decode(body, "duploservices-dev01")
    assert (issued.authority, issued.namespace) == ("", "duploservices-dev01")


def test_an_api_server_may_be_behind_a_path_of_a_gateway() -> None:
    issued = decode({**BODY, "ApiServer": "https://rancher.example/k8s/clusters/c-1/"}, "x")
    assert issued.server == "https://rancher.example/k8s/clusters/c-1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ApiServer", "http://10.0.0.5:6443"),
        ("ApiServer", "https://user:password@10.0.0.5"),
        ("ApiServer", "https://10.0.0.5:port"),
        ("ApiServer", "https://10.0.0.5/?token=1"),
        ("ApiServer", f"https://{'a' * 5000}.example"),
        ("ApiServer", "file:///etc/passwd"),
        ("ApiServer", None),
        ("Token", ""),
        ("Token", "two\r\nlines-of-a-header"),
        ("Token", "t" * 20_000),
        ("CertificateAuthorityDataBase64", "not base64!"),
        ("CertificateAuthorityDataBase64", base64.b64encode(b"not a certificate").decode()),
        ("DefaultNamespace", "../kube-system"),
        ("DefaultNamespace", "a" * 64),
    ],
)
def test_anything_else_is_refused_without_quoting_it(field: str, value: str | None) -> None:
    with pytest.raises(UnusableAccess) as refusal:
        decode({**BODY, field: value}, "duploservices-dev01")
    assert field in str(refusal.value) or "object" in str(refusal.value)
    assert not value or value not in str(refusal.value)


@pytest.mark.parametrize("body", [None, [], "token", 7])
def test_an_answer_must_be_an_object(body: object) -> None:
    with pytest.raises(UnusableAccess):
        decode(body, "duploservices-dev01")


@pytest.fixture
def server() -> Iterator[KubernetesServer]:
    """Return an API server over a real socket."""
    world = World(SystemClock())
    world.add_tenant("dev01")
    with KubernetesServer(world) as running:
        yield running


def cluster_at(address: str, authority: str, limits: Limits = SHORT) -> Cluster:
    """Return a cluster that trusts nothing but this authority."""
    issued = IssuedAccess(address, authority, Secret("wrong-token"), "duploservices-dev01")
    clock = SystemClock()
    session = Network(Proxies("", "", ""), "", clock).session(address, private_context(authority))
    return Cluster(issued, HttpClient(address, session, clock, setting="it", limits=limits))


def test_the_authority_that_came_with_the_access_is_the_one_that_counts(
    server: KubernetesServer,
) -> None:
    with pytest.raises(PlatformError, match="refuses the token that the portal issued"):
        cluster_at(server.url, authority_pem()).missing_rights()


def test_a_certificate_of_another_authority_is_not_trusted(server: KubernetesServer) -> None:
    """Not even one that this machine trusts may stand in for it."""
    other = trustme.CA().cert_pem.bytes().decode()
    with pytest.raises(Unreachable, match="is not trusted"):
        cluster_at(server.url, other).missing_rights()


def test_the_usual_authorities_are_not_trusted_beside_it() -> None:
    assert len(private_context(authority_pem()).get_ca_certs()) == 1
    assert private_context(authority_pem()).verify_mode is ssl.CERT_REQUIRED
    assert private_context(authority_pem()).check_hostname


def test_a_closed_port_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(Unreachable, match="refused the connection"):
        cluster_at(f"https://127.0.0.1:{port}", authority_pem()).missing_rights()


def test_a_silent_server_is_given_up_after_the_time_to_connect() -> None:
    """It takes the connection and never begins TLS, as a firewall or another program may do."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match="did not respond"):
            cluster_at(address, authority_pem()).missing_rights()


def test_addresses_that_are_tried_one_after_the_other_are_given_up_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A private API server has an address in every zone, and each gets the time to connect."""
    monkeypatch.setattr("pipe.kubernetes.cluster.FIRST_ANSWER", 0.1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        cluster = cluster_at(address, authority_pem(), replace(SHORT, connect=5.0))
        with pytest.raises(Unreachable, match=r"did not answer within 0\.1 s"):
            cluster.missing_rights()


def test_the_api_server_is_reached_like_every_other_host() -> None:
    proxies = Proxies("", "http://proxy.example:3128", "10.0.0.0/8,.internal")
    assert proxy_for("https://kubernetes.example", proxies) == "http://proxy.example:3128"
    assert not proxy_for("https://10.0.0.5:6443", proxies)
    assert not proxy_for("https://api.internal", proxies)
    assert not proxy_for("https://127.0.0.1:6443", proxies)
