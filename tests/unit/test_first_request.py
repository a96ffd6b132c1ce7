"""The first request is sent before the HTTP client is loaded, which then adopts the connection."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import certifi
import pytest
import trustme

from pipe import authorities
from pipe.clock import Clock, SystemClock
from pipe.errors import Unreachable
from pipe.http import HttpClient, Limits, Network, early
from pipe.http.adoption import adopted
from pipe.http.session import open_session
from pipe.http.tls import tls_context
from pipe.portal.connect import connect
from pipe.portal.first_request import send_early
from pipe.portal.portal import Portal
from pipe.portal.tenants import Tenant
from pipe.secret import Secret
from pipe.settings import Proxies, Settings, load
from tests.reliability.faults import FAULTS, FOR_EVER, Fault
from tests.sandbox import ApiFault, Server
from tests.support.environment import environment
from tests.support.fake_clock import FakeClock
from tests.support.harness import Harness, RunResult
from tests.support.keep_alive import KeepAliveServer
from tests.support.raw_server import raw_server

TOKEN = "portal-token-0123456789"
TENANTS = json.dumps([{"TenantId": "id-1", "AccountName": "dev01"}]).encode()
PLACES = [("127.0.0.1", True), ("127.0.0.1", False), ("::1", True), ("::1", False)]
SAME = {"User-Agent": "test", "Accept-Encoding": "identity"}
ROLE = {
    "AWS_OIDC_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "BITBUCKET_STEP_OIDC_TOKEN": "a.b.c",
}


@pytest.fixture
def authority() -> Iterator[trustme.CA]:
    """An authority that only CA_CERT makes a run trust."""
    tls_context.cache_clear()
    yield trustme.CA()
    tls_context.cache_clear()


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0]}-{'tls' if place[1] else 'plain'}")
def server(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[KeepAliveServer]:
    """A portal that keeps its connections open."""
    host, with_tls = request.param
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no address ::1, as most containers")
    with KeepAliveServer(lambda _: TENANTS, context_of(authority, with_tls), host) as server:
        yield server


def has_ipv6() -> bool:
    """Return whether a server can listen on this machine by IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def context_of(authority: trustme.CA, with_tls: bool, name: str = "") -> ssl.SSLContext | None:
    """Return a server's context with a certificate of that authority."""
    if not with_tls:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = [name] if name else ["127.0.0.1", "::1"]
    authority.issue_cert(*names).configure_cert(context)
    return context


def settings_for(url: str, authority: trustme.CA | None = None, **variables: str) -> Settings:
    """Return the settings of a run against that portal."""
    trusted = authority.cert_pem.bytes().decode() if authority else ""
    return load({**environment(url, TOKEN), "CA_CERT": trusted, **variables})


def open_portal(settings: Settings, token: str = TOKEN) -> Portal:
    """Return the portal for the ordinary client."""
    network = Network(Proxies(), settings.ca_cert, SystemClock())
    return connect(settings.host, Secret(token), network, "DUPLO_TOKEN")


def test_the_client_adopts_the_connection(server: KeepAliveServer, authority: trustme.CA) -> None:
    """One request and one connection, which later requests use as well."""
    settings = settings_for(server.url, authority)
    with adopted(send_early(settings)):
        portal = open_portal(settings)
        assert portal.tenants.list() == (Tenant("id-1", "dev01"),)
    assert (server.connections, len(server.heads)) == (1, 1)
    portal.tenants.list()
    assert (server.connections, len(server.heads)) == (1, 2)


def test_the_client_would_send_the_same_bytes(
    server: KeepAliveServer, authority: trustme.CA
) -> None:
    """Otherwise it needs a second connection."""
    settings = settings_for(server.url, authority)
    sent = send_early(settings)
    assert sent
    with adopted(sent):
        open_portal(settings).tenants.list()
    open_portal(settings).tenants.list()
    first, second = server.heads
    assert first == second
    assert f"Authorization: Bearer {TOKEN}" in first
    assert "User-Agent: bitbucket-deploy-pipe/" in first


def test_the_response_to_another_request_is_never_taken(
    server: KeepAliveServer, authority: trustme.CA
) -> None:
    """A client that sends something else gets a connection of its own."""
    settings = settings_for(server.url, authority)
    with adopted(send_early(settings)):
        open_portal(settings, "another-token-0123456789").tenants.list()
    assert server.connections == 2
    assert len([head for head in server.heads if "another-token" in head]) == 1


def test_a_connection_to_another_place_is_not_adopted(authority: trustme.CA) -> None:
    """Not even on the same host."""
    with (
        KeepAliveServer(lambda _: b"[]") as other,
        KeepAliveServer(lambda _: TENANTS) as server,
        adopted(send_early(settings_for(other.url))),
    ):
        assert open_portal(settings_for(server.url, authority)).tenants.list()
        assert server.connections == 1


def test_what_is_not_adopted_is_closed() -> None:
    with KeepAliveServer(lambda _: TENANTS) as server:
        sent = send_early(settings_for(server.url))
        assert sent
        assert sent.sock
        with adopted(sent):
            pass
        assert sent.sock.fileno() == -1


@pytest.mark.parametrize("name", ["", "elsewhere.example"], ids=["authority", "name"])
def test_nothing_is_sent_to_a_host_whose_certificate_is_not_trusted(
    authority: trustme.CA, name: str
) -> None:
    trusted = authority if name else trustme.CA()
    with KeepAliveServer(lambda _: TENANTS, context_of(authority, True, name)) as server:
        assert send_early(settings_for(server.url, trusted)) is None
        assert server.heads == []


def test_a_handshake_without_an_answer_is_left_to_the_client(
    monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    monkeypatch.setattr(early, "SECONDS", 0.05)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert send_early(settings_for(url, authority)) is None


def test_a_port_where_nothing_listens_is_left_to_the_client() -> None:
    assert send_early(settings_for("http://127.0.0.1:1")) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTP_PROXY": "http://proxy.example:3128"},
        {"HTTPS_PROXY": "http://proxy.example:3128"},
        {"ACTION": "check"},
        ROLE,
    ],
    ids=["http proxy", "https proxy", "check", "role"],
)
def test_the_client_sends_it_from_the_start(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any]
) -> None:
    """Where a proxy is between, or where something has to come first."""
    monkeypatch.setattr(early, "send", lambda *_: pytest.fail("it was sent early"))
    assert send_early(settings_for("https://portal.example", **variables)) is None


@pytest.mark.parametrize("host", ["portal.example.", "h%C3%A4.example"])
def test_a_host_that_libraries_rewrite_is_left_to_the_client(host: str) -> None:
    assert early.send(f"http://{host}", "x", {}, "") is None


def test_silence_on_an_adopted_connection_ends_at_the_clients_limit() -> None:
    done, heads = threading.Event(), []

    def respond(head: str) -> bytes:
        heads.append(head)
        done.wait(30)
        return b""

    with (
        raw_server(respond) as port,
        adopted(early.send(origin(port), "x", SAME, "")),
        pytest.raises(Unreachable, match=re.escape("did not respond for 0.1 s")),
    ):
        client(port, SystemClock(), Limits(read=0.1)).once("GET", "x")
    done.set()
    assert len(heads) == 1


def test_a_response_that_drips_over_an_adopted_connection_ends_at_the_clients_limit() -> None:
    clock, heads = FakeClock(), []

    def drip(head: str) -> Iterator[bytes]:
        heads.append(head)
        yield b"HTTP/1.1 200 "
        while True:
            clock.advance(1.0)
            yield b"O"

    with (
        raw_server(drip) as port,
        adopted(early.send(origin(port), "x", SAME, "")),
        pytest.raises(Unreachable, match="did not finish within 20 s"),
    ):
        client(port, clock, Limits(whole=20.0, read=10.0)).once("GET", "x")
    assert len(heads) == 1


def origin(port: int) -> str:
    """Return the address of a server on this machine."""
    return f"http://127.0.0.1:{port}"


def client(port: int, clock: Clock, limits: Limits) -> HttpClient:
    """Return a client that sends no headers but `SAME`."""
    url = origin(port)
    session = open_session(url, Proxies())
    session.headers.clear()
    session.headers.update(SAME)
    return HttpClient(url, session, clock, setting="DUPLO_HOST", limits=limits)


@pytest.mark.parametrize("times", [1, FOR_EVER])
@pytest.mark.parametrize(
    "fault",
    [fault for fault in FAULTS if not fault.silent and not fault.slow],
    ids=lambda fault: fault.name,
)
def test_a_fault_of_the_first_request_is_handled_as_by_the_client_alone(
    fault: Fault, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over real sockets: same requests, same log, same exit code."""
    usual = run(fault, times, tmp_path / "usual")
    monkeypatch.setattr("pipe.run.send_early", lambda _: None)
    assert usual == run(fault, times, tmp_path / "alone")


def run(fault: Fault, times: int, folder: Path) -> tuple[int, str, list[str]]:
    """Return exit code, log and requests of a deploy whose first request meets a fault."""
    folder.mkdir()
    harness = Harness(folder)
    harness.web()
    harness.world.script(ApiFault(path="GetTenantsForUser", times=times, **fault.options))
    with Server(harness.world) as server:
        variables = environment(server.url, harness.world.token, WAIT="false")
        result: RunResult = harness.run_with(variables, sockets=True)
    paths = [f"{record.method} {record.path}" for record in harness.world.log]
    assert sum("GetTenantsForUser" in path for path in paths) >= 1
    log = re.sub(r"[0-9]+(\.[0-9]+)? s\b|127\.0\.0\.1:[0-9]+", "-", result.text)
    return result.code, log, paths


def test_an_interrupt_while_it_is_sent_is_reported(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written to the log before it is loaded."""

    def interrupt(_: Settings) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipe.run.send_early", interrupt)
    variables = environment("http://127.0.0.1:1", TOKEN)
    result = harness.run_with(variables, sockets=True)
    assert result.code == 11
    assert "Cancelled. Nothing was changed." in result.text


def test_the_bundle_of_authorities_is_certifis() -> None:
    """Its own function for that is not used, because it imports thirty modules."""
    assert authorities.bundle() == certifi.where()
