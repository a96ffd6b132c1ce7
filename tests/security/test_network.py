"""The way to the portal: certificates, TLS versions, proxies, IPv6, DNS; over real sockets."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipe.dependencies import Dependencies
from pipe.http import certificate
from tests.sandbox import Server, World
from tests.security.tls import DAY, Identity, identity, tinyproxy
from tests.support.environment import environment
from tests.support.real_time import JumpingClock
from tests.support.stage import play

Deploy = Callable[..., tuple[int, str]]
ADDRESS = "127.0.0.2"  # this machine, but no name that is exempt from proxies
PASSWORD = "s3cret-proxy.pass_word"  # tinyproxy takes no others
ENCODED = "s3cret%2Dproxy%2Epass%5Fword"

needs_proxy = pytest.mark.skipif(
    shutil.which("tinyproxy") is None and not os.environ.get("PIPE_REQUIRE_PROXY"),
    reason="tinyproxy is not installed (apt-get install tinyproxy)",
)


@pytest.fixture
def world() -> World:
    """A world on the machine's own clock, with quick rollouts."""
    world = World(JumpingClock())
    world.rollout_seconds = 0.05
    world.leave_seconds = 0.05
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1.4.1")
    return world


@pytest.fixture
def deploy(world: World, tmp_path: Path) -> Deploy:
    """A run in this process over the real network: exit code and everything it said."""

    def deployed(url: str, **environ: str) -> tuple[int, str]:
        usual = environment(url, world.token, STABLE_SECONDS="0")
        variables = {**usual, "BITBUCKET_CLONE_DIR": str(tmp_path), **environ}
        ending = play(variables, Dependencies(world.clock), tmp_path)
        return ending.code, ending.text

    return deployed


def refused(deploy: Deploy, world: World, folder: Path, shown: Identity, **environ: str) -> str:
    """What is said about a portal with that certificate, which never hears of us."""
    with Server(world, tls=shown.context(folder)) as server:
        code, said = deploy(server.url, **environ)
    assert code == 4, said
    assert "Nothing was changed." in said
    assert world.log == [], "no request was sent, not even to look at the certificate"
    return said


def test_a_self_signed_certificate_is_explained(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """Whose, by whom, until when, for which names, and which variable makes it trusted."""
    shown = identity("portal.corp", "127.0.0.1", "portal.corp")
    said = refused(deploy, world, tmp_path, shown)
    until = shown.certificate.not_valid_after_utc
    assert "self-signed certificate" in said
    assert 'It is "portal.corp", issued by itself' in said
    assert f"until {until:%Y-%m-%d %H:%M} UTC, for 127.0.0.1, portal.corp" in said
    assert "give this certificate as CA_CERT" in said


def test_a_certificate_of_an_unknown_authority_is_explained(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """The issuer's name is what to ask for."""
    issuer = identity("Corp Root CA", authority=True)
    said = refused(deploy, world, tmp_path, identity("portal", "127.0.0.1", issuer=issuer))
    assert 'It is "portal", issued by "Corp Root CA"' in said
    assert "give the issuer's certificate as CA_CERT" in said


def test_an_expired_certificate_is_explained(deploy: Deploy, world: World, tmp_path: Path) -> None:
    """The date is told, and that no variable helps."""
    issuer = identity("Corp Root CA", authority=True)
    ended = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    shown = identity("portal", "127.0.0.1", issuer=issuer, until=ended)
    said = refused(deploy, world, tmp_path, shown, CA_CERT=issuer.pem)
    assert "certificate has expired" in said
    assert "until 2024-02-29 12:30 UTC" in said
    assert "renew it" in said
    assert "as CA_CERT" not in said


def test_a_certificate_for_another_name_is_explained(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """The names that it is for are told, to be given as DUPLO_HOST."""
    issuer = identity("Corp Root CA", authority=True)
    shown = identity("portal", "portal.corp", "10.1.2.3", issuer=issuer)
    said = refused(deploy, world, tmp_path, shown, CA_CERT=issuer.pem)
    assert "for portal.corp, 10.1.2.3" in said
    assert "Give DUPLO_HOST one of the names" in said


@pytest.mark.parametrize("way", ["text", "path", "relative"])
def test_a_trusted_authority_makes_it_work(
    deploy: Deploy, world: World, tmp_path: Path, way: str
) -> None:
    """CA_CERT as PEM text, as a path, and as a path in the clone folder."""
    with Server(world, tls=tmp_path / "tls") as server:
        assert server.ca_path is not None
        given = {
            "text": server.ca_path.read_text("utf-8"),
            "path": str(server.ca_path),
            "relative": "tls/ca.pem",
        }
        code, said = deploy(server.url, CA_CERT=given[way])
    assert code == 0, said


def test_a_trusted_certificate_of_the_server_itself_makes_it_work(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """What the message about a self-signed certificate asks for is enough."""
    shown = identity("portal.corp", "127.0.0.1")
    with Server(world, tls=shown.context(tmp_path)) as server:
        code, said = deploy(server.url, CA_CERT=shown.pem)
    assert code == 0, said


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_refused(
    deploy: Deploy, world: World, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """TLS 1.2 at least, whatever the server would like."""
    shown = identity("portal", "127.0.0.1")
    context = shown.context(tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = version
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Server(world, tls=context) as server:
        code, said = deploy(server.url, CA_CERT=shown.pem)
    assert code == 4
    assert "TLS 1.2 or newer" in said
    assert world.log == []


def test_tls_1_2_is_enough(deploy: Deploy, world: World, tmp_path: Path) -> None:
    """The floor is no ceiling, and is reached."""
    shown = identity("portal", "127.0.0.1")
    context = shown.context(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Server(world, tls=context) as server:
        assert deploy(server.url, CA_CERT=shown.pem)[0] == 0


def test_a_portal_that_speaks_plain_http_on_its_port_is_told(deploy: Deploy, world: World) -> None:
    """Wrong port or scheme: no TLS there."""
    with Server(world) as server:
        code, said = deploy(server.url.replace("http:", "https:"))
    assert code == 4
    assert "does not speak TLS" in said
    assert "DUPLO_HOST" in said


def test_a_name_that_dns_does_not_know_is_told_as_such(deploy: Deploy) -> None:
    """Neither a refused connection nor a certificate: the name is the problem."""
    code, said = deploy("https://no-such-portal.invalid")
    assert code == 4
    assert "The name no-such-portal.invalid is not known to DNS" in said
    assert "Check the spelling of DUPLO_HOST" in said


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
    """In brackets, with its port, verified like any other."""
    with Server(world, tls=tmp_path if secure else None, host="::1") as server:
        assert "//[::1]:" in server.url
        trust = server.ca_path.read_text("utf-8") if server.ca_path else ""
        code, said = deploy(server.url, CA_CERT=trust)
    assert code == 0, said


@needs_proxy
def test_a_proxy_with_a_login_carries_every_request(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """User and password from HTTPS_PROXY; TLS goes through to the portal, and no secret out."""
    with (
        tinyproxy(tmp_path, "ci", PASSWORD) as (proxy, log),
        Server(world, tls=tmp_path / "tls", host=ADDRESS) as server,
    ):
        code, said = deploy(
            server.url,
            HTTPS_PROXY=f"http://ci:{ENCODED}@{proxy}",
            CA_CERT=str(server.ca_path),
            DEBUG="true",
        )
        assert code == 0, said
        assert log.read_text("utf-8").count("CONNECT 127.0.0.2:") >= 1
    for form in (PASSWORD, ENCODED, world.token):
        assert form not in said


@needs_proxy
@pytest.mark.parametrize("login", ["", "ci:wrong-password@"])
def test_a_proxy_that_refuses_the_login_is_told(
    deploy: Deploy, world: World, tmp_path: Path, login: str
) -> None:
    """The variable is named; the password is not."""
    with (
        tinyproxy(tmp_path, "ci", PASSWORD) as (proxy, _),
        Server(world, tls=tmp_path / "tls", host=ADDRESS) as server,
    ):
        code, said = deploy(
            server.url, HTTPS_PROXY=f"http://{login}{proxy}", CA_CERT=str(server.ca_path)
        )
    assert code == 4
    assert "The proxy does not let us through to 127.0.0.2" in said
    assert "HTTPS_PROXY" in said
    assert "wrong-password" not in said
    assert world.log == []


@needs_proxy
@pytest.mark.parametrize("exempt", [ADDRESS, "example.org, 127.0.0.2", "127.0.0.0/8", "*"])
def test_no_proxy_names_who_is_reached_without_it(
    deploy: Deploy, world: World, tmp_path: Path, exempt: str
) -> None:
    """As an address, in a list, as a network, and all."""
    with (
        tinyproxy(tmp_path) as (proxy, log),
        Server(world, tls=tmp_path / "tls", host=ADDRESS) as server,
    ):
        code, said = deploy(
            server.url, HTTPS_PROXY=proxy, NO_PROXY=exempt, CA_CERT=str(server.ca_path)
        )
        assert code == 0, said
        assert "CONNECT 127." not in log.read_text("utf-8")


@needs_proxy
def test_this_machine_is_never_reached_through_a_proxy(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """127.0.0.1 as the proxy sees it would be another machine."""
    with tinyproxy(tmp_path) as (proxy, log), Server(world, tls=tmp_path / "tls") as server:
        code, said = deploy(server.url, HTTPS_PROXY=proxy, CA_CERT=str(server.ca_path))
        assert code == 0, said
        assert "CONNECT 127." not in log.read_text("utf-8")


@needs_proxy
def test_a_bad_certificate_behind_a_proxy_is_explained_too(
    deploy: Deploy, world: World, tmp_path: Path
) -> None:
    """Its facts are read through the proxy, with the proxy's login."""
    shown = identity("portal.corp", "portal.corp")
    with tinyproxy(tmp_path, "ci", PASSWORD) as (proxy, _):
        said = refused_at(deploy, world, tmp_path, shown, f"http://ci:{ENCODED}@{proxy}")
    assert 'It is "portal.corp", issued by itself' in said


def refused_at(deploy: Deploy, world: World, folder: Path, shown: Identity, proxy: str) -> str:
    """What is said about a portal with that certificate behind a proxy."""
    with Server(world, tls=shown.context(folder), host=ADDRESS) as server:
        code, said = deploy(server.url, HTTPS_PROXY=proxy)
    assert code == 4, said
    assert world.log == []
    return said


def test_a_proxy_that_does_not_answer_is_told_apart_from_the_portal(deploy: Deploy) -> None:
    """The proxy is named, not the portal's address."""
    code, said = deploy("https://portal.example", HTTPS_PROXY="http://127.0.0.1:9")
    assert code == 4
    assert "The proxy does not let us through" in said


@pytest.mark.parametrize("years", [-70, -30, 1, 30, 100])
def test_facts_agree_with_what_another_library_reads(years: int) -> None:
    """Names, times of both drivers, and issuers are those that were put in."""
    issuer = identity("Root", authority=True)
    until = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=365.25 * years)
    shown = identity(
        "pörtal \x1b[31m", "a.example", "::1", "*.b.example", issuer=issuer, until=until
    )
    facts = certificate.decode(shown.der)
    assert facts.subject == "pörtal  [31m"
    assert facts.issuer == "Root"
    assert facts.until == shown.certificate.not_valid_after_utc
    assert facts.since == shown.certificate.not_valid_before_utc
    assert facts.names == ("a.example", "::1", "*.b.example")
    assert not facts.self_signed


def test_what_is_no_certificate_is_none() -> None:
    """Cut off at any byte, or changed at any: facts or a ValueError, and nothing else."""
    der = identity("portal", "a.example", until=datetime.now(UTC) + DAY).der
    for end in range(len(der)):
        for data in (der[:end], der[:end] + bytes([der[end] ^ 0xFF]) + der[end + 1 :]):
            try:
                certificate.decode(data)
            except ValueError:
                continue
