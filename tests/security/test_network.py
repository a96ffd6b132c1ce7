"""Connections to the portal over real sockets: certificates, TLS versions, proxies, IPv6, DNS."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pipe.clock import SystemClock
from pipe.dependencies import Dependencies
from pipe.http.certificate import fetch_certificate
from tests.sandbox import Server, World
from tests.security.tls import Identity, identity, tinyproxy
from tests.support.environment import environment
from tests.support.harness import run_pipe
from tests.support.real_time import JumpingClock

Deploy = Callable[..., tuple[int, str]]
ADDRESS = "127.0.0.2"  # this machine, but not exempt from proxies
PASSWORD = "s3cret-proxy.pass_word"  # the characters that tinyproxy accepts
ENCODED = "s3cret%2Dproxy%2Epass%5Fword"

needs_proxy = pytest.mark.skipif(
    shutil.which("tinyproxy") is None and not os.environ.get("PIPE_REQUIRE_PROXY"),
    reason="tinyproxy is not installed (apt-get install tinyproxy)",
)


@pytest.fixture
def world() -> World:
    """Return a world on the machine's clock, with quick rollouts."""
    world = World(JumpingClock())
    world.rollout_seconds = 0.05
    world.leave_seconds = 0.05
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1.4.1")
    return world


@pytest.fixture
def deploy(world: World, tmp_path: Path) -> Deploy:
    """Run the pipe in this process over the real network; return exit code and output."""

    def deployed(url: str, **environ: str) -> tuple[int, str]:
        usual = environment(url, world.token, STABLE_SECONDS="0")
        variables = {**usual, "BITBUCKET_CLONE_DIR": str(tmp_path), **environ}
        result = run_pipe(variables, Dependencies(world.clock), tmp_path)
        return result.code, result.text

    return deployed


def refused(deploy: Deploy, world: World, folder: Path, presented: Identity, **environ: str) -> str:
    """Return the output of a run whose portal presents that certificate, and gets no request."""
    with Server(world, tls=presented.context(folder)) as server:
        code, output = deploy(server.url, **environ)
    assert code == 4, output
    assert "Nothing was changed." in output
    assert world.log == [], "no request was sent, not even for the certificate's details"
    return output


def test_a_self_signed_certificate_is_explained(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """The message names subject, dates, host names and CA_CERT."""
    presented = identity("portal.corp", "127.0.0.1", "portal.corp")
    output = refused(deploy, world, tmp_path, presented)
    until = presented.certificate.not_valid_after_utc
    assert "self-signed certificate" in output
    assert 'It is "portal.corp", self-signed' in output
    assert f"until {until:%Y-%m-%d %H:%M} UTC, for 127.0.0.1, portal.corp" in output
    assert "give this certificate as CA_CERT" in output


def test_a_certificate_of_an_unknown_authority_is_explained(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """The message names the issuer, whose certificate is needed."""
    issuer = identity("Corp Root CA", authority=True)
    output = refused(deploy, world, tmp_path, identity("portal", "127.0.0.1", issuer=issuer))
    assert 'It is "portal", issued by "Corp Root CA"' in output
    assert "give the issuer's certificate as CA_CERT" in output


def test_an_expired_certificate_is_explained(deploy: Deploy, world: World, tmp_path: Path) -> None:
    """The message names the date, and that no variable helps."""
    issuer = identity("Corp Root CA", authority=True)
    ended = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    presented = identity("portal", "127.0.0.1", issuer=issuer, until=ended)
    output = refused(deploy, world, tmp_path, presented, CA_CERT=issuer.pem)
    assert "certificate has expired" in output
    assert "until 2024-02-29 12:30 UTC" in output
    assert "renew it" in output
    assert "as CA_CERT" not in output


def test_a_certificate_for_another_name_is_explained(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """The message names the host names in the certificate, for DUPLO_HOST."""
    issuer = identity("Corp Root CA", authority=True)
    presented = identity("portal", "portal.corp", "10.1.2.3", issuer=issuer)
    output = refused(deploy, world, tmp_path, presented, CA_CERT=issuer.pem)
    assert "for portal.corp, 10.1.2.3" in output
    assert "Set DUPLO_HOST to one of the names" in output


@pytest.mark.parametrize("form", ["text", "path", "relative"])
def test_ca_cert_is_trusted_as_text_and_as_path(
    deploy: Deploy, world: World, tmp_path: Path, form: str
) -> None:
    """CA_CERT is PEM text, an absolute path, or a path in the clone folder."""
    with Server(world, tls=tmp_path / "tls") as server:
        assert server.ca_path is not None
        given = {
            "text": server.ca_path.read_text("utf-8"),
            "path": str(server.ca_path),
            "relative": "tls/ca.pem",
        }
        code, output = deploy(server.url, CA_CERT=given[form])
    assert code == 0, output


def test_a_self_signed_certificate_is_trusted_as_ca_cert(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """The remedy in the error message is sufficient."""
    presented = identity("portal.corp", "127.0.0.1")
    with Server(world, tls=presented.context(tmp_path)) as server:
        code, output = deploy(server.url, CA_CERT=presented.pem)
    assert code == 0, output


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_refused(
    deploy: Deploy, world: World, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """TLS 1.2 is the minimum, whatever the server prefers."""
    presented = identity("portal", "127.0.0.1")
    context = presented.context(tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = version
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Server(world, tls=context) as server:
        code, output = deploy(server.url, CA_CERT=presented.pem)
    assert code == 4
    assert "TLS 1.2 or newer" in output
    assert world.log == []


def test_tls_1_2_is_enough(deploy: Deploy, world: World, tmp_path: Path) -> None:
    """A server without TLS 1.3 is accepted."""
    presented = identity("portal", "127.0.0.1")
    context = presented.context(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Server(world, tls=context) as server:
        assert deploy(server.url, CA_CERT=presented.pem)[0] == 0


def test_a_portal_without_tls_on_its_port_is_reported(deploy: Deploy, world: World) -> None:
    """The message names TLS and the variable with the wrong scheme or port."""
    with Server(world) as server:
        code, output = deploy(server.url.replace("http:", "https:"))
    assert code == 4
    assert "did not agree on TLS" in output
    assert "DUPLO_HOST" in output


def test_an_unresolvable_host_name_is_reported_as_such(deploy: Deploy) -> None:
    """The message names DNS, not a refused connection or a certificate."""
    code, output = deploy("https://no-such-portal.invalid")
    assert code == 4
    assert "The host name no-such-portal.invalid cannot be resolved" in output
    assert "Check the spelling of DUPLO_HOST" in output


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("secure", [True, False])
def test_a_portal_with_an_ipv6_address(
    deploy: Deploy, world: World, tmp_path: Path, secure: bool
) -> None:
    """The address in brackets works with a port, and is verified like any other."""
    with Server(world, tls=tmp_path if secure else None, host="::1") as server:
        assert "//[::1]:" in server.url
        trust = server.ca_path.read_text("utf-8") if server.ca_path else ""
        code, output = deploy(server.url, CA_CERT=trust)
    assert code == 0, output


@needs_proxy
def test_a_proxy_with_a_login_carries_every_request(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """User and password come from HTTPS_PROXY, TLS ends at the portal, and no secret is logged."""
    with (
        tinyproxy(tmp_path, "ci", PASSWORD) as (proxy, log),
        Server(world, tls=tmp_path / "tls", host=ADDRESS) as server,
    ):
        code, output = deploy(
            server.url,
            HTTPS_PROXY=f"http://ci:{ENCODED}@{proxy}",
            CA_CERT=str(server.ca_path),
            DEBUG="true",
        )
        assert code == 0, output
        assert log.read_text("utf-8").count("CONNECT 127.0.0.2:") >= 1
    for form in (PASSWORD, ENCODED, world.token):
        assert form not in output


@needs_proxy
@pytest.mark.parametrize("login", ["", "ci:wrong-password@"])
def test_a_proxy_that_refuses_the_login_is_reported(
    deploy: Deploy, world: World, tmp_path: Path, login: str
) -> None:
    """The message names the variable and not the password."""
    with (
        tinyproxy(tmp_path, "ci", PASSWORD) as (proxy, _),
        Server(world, tls=tmp_path / "tls", host=ADDRESS) as server,
    ):
        code, output = deploy(
            server.url, HTTPS_PROXY=f"http://{login}{proxy}", CA_CERT=str(server.ca_path)
        )
    assert code == 4
    assert "did not connect to 127.0.0.2" in output
    assert "HTTPS_PROXY" in output
    assert "wrong-password" not in output
    assert world.log == []


@needs_proxy
@pytest.mark.parametrize("exempt", [ADDRESS, "example.org, 127.0.0.2", "127.0.0.0/8", "*"])
def test_hosts_in_no_proxy_are_reached_directly(
    deploy: Deploy, world: World, tmp_path: Path, exempt: str
) -> None:
    """NO_PROXY takes an address, a list, a network and a star."""
    with (
        tinyproxy(tmp_path) as (proxy, log),
        Server(world, tls=tmp_path / "tls", host=ADDRESS) as server,
    ):
        code, output = deploy(
            server.url, HTTPS_PROXY=proxy, NO_PROXY=exempt, CA_CERT=str(server.ca_path)
        )
        assert code == 0, output
        assert "CONNECT 127." not in log.read_text("utf-8")


@needs_proxy
def test_this_machine_is_never_reached_through_a_proxy(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """127.0.0.1 would be another machine for the proxy."""
    with tinyproxy(tmp_path) as (proxy, log), Server(world, tls=tmp_path / "tls") as server:
        code, output = deploy(server.url, HTTPS_PROXY=proxy, CA_CERT=str(server.ca_path))
        assert code == 0, output
        assert "CONNECT 127." not in log.read_text("utf-8")


@needs_proxy
def test_an_untrusted_certificate_behind_a_proxy_is_explained(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """Its details are read through the proxy, with the proxy's login."""
    presented = identity("portal.corp", "portal.corp")
    with tinyproxy(tmp_path, "ci", PASSWORD) as (proxy, _):
        output = refused_behind_proxy(
            deploy, world, tmp_path, presented, f"http://ci:{ENCODED}@{proxy}"
        )
    assert 'It is "portal.corp", self-signed' in output


def refused_behind_proxy(
    deploy: Deploy, world: World, folder: Path, presented: Identity, proxy: str
) -> str:
    """Return the output of a run whose portal behind a proxy presents that certificate."""
    with Server(world, tls=presented.context(folder), host=ADDRESS) as server:
        code, output = deploy(server.url, HTTPS_PROXY=proxy)
    assert code == 4, output
    assert world.log == []
    return output


def test_an_unreachable_proxy_is_not_reported_as_an_unreachable_portal(deploy: Deploy) -> None:
    """The message names the proxy's address, not the portal's."""
    code, output = deploy("https://portal.example", HTTPS_PROXY="http://127.0.0.1:9")
    assert code == 4
    assert "The proxy 127.0.0.1:9 cannot be reached: connection refused." in output


@pytest.mark.parametrize("years", [-70, -30, 1, 30, 100])
def test_the_message_has_the_details_of_the_certificate(tmp_path: Path, years: int) -> None:
    """Names, issuer and both dates are presented, in any century, without control characters."""
    issuer = identity("Root", authority=True)
    until = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=365.25 * years)
    names = ("a.example", "10.0.0.1", "CN=directory name", "*.b.example")
    server_identity = identity("pörtal \x1b[31m", *names, issuer=issuer, until=until)
    with Server(World(SystemClock()), tls=server_identity.context(tmp_path)) as server:
        port = urlsplit(server.url).port or 0
        summary = fetch_certificate("127.0.0.1", port, "", 5.0)
    assert summary
    since = server_identity.certificate.not_valid_before_utc
    assert summary.text == (
        f'It is "pörtal  [31m", issued by "Root", valid from {since:%Y-%m-%d %H:%M} until '
        f"{until:%Y-%m-%d %H:%M} UTC, for a.example, 10.0.0.1, *.b.example"
    )
    assert not summary.self_signed


def test_a_server_without_tls_has_no_certificate_details() -> None:
    """The error message does without them."""
    with Server(World(SystemClock())) as server:
        port = urlsplit(server.url).port or 0
        assert fetch_certificate("127.0.0.1", port, "", 5.0) is None
