"""Probes of real servers, on a fake clock."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from pipe.deploy_tests import DeployTestResult, redirects
from pipe.deploy_tests.probe import Probe, address
from pipe.http.resolver import resolve
from pipe.settings import Settings, load
from tests.support.fake_clock import FakeClock
from tests.support.http_server import Answer, HttpServer, Request


def settings(url: str, **given: str) -> Settings:
    """Return settings that probe `url`."""
    return load(
        {
            "DUPLO_HOST": "portal.example",
            "DUPLO_TOKEN": "portal-token-0123456789",
            "TENANT": "dev01",
            "SERVICE": "web",
            "IMAGE": "team/web:2",
            "POST_DEPLOY_URL": url,
            "TEST_TIMEOUT": "20",
            **given,
        }
    )


def probe(url: str, clock: FakeClock | None = None, **given: str) -> DeployTestResult:
    """Probe `url` and return the result."""
    return Probe(settings(url, **given), url, clock or FakeClock()).run()


Serve = Callable[..., HttpServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that stop with the test."""
    running: list[HttpServer] = []

    def start(
        respond: Callable[[Request], Answer], context: ssl.SSLContext | None = None
    ) -> HttpServer:
        running.append(HttpServer(respond, context))
        return running[-1].__enter__()

    yield start
    for server in running:
        server.__exit__()


def test_a_probe_passes_after_three_good_responses(serve: Serve) -> None:
    """One good response may come from the only good pod."""
    server = serve(lambda _: Answer())
    result = probe(f"{server.url}/health?deep=1#top")
    assert result.passed
    assert result.message == "passed: status 200, 3 times in a row"
    assert [request.path for request in server.requests] == ["/health?deep=1"] * 3


def test_the_good_responses_must_be_consecutive(serve: Serve) -> None:
    """A failure restarts the count."""
    answers = iter([200, 200, 503, 200, 200, 200])
    server = serve(lambda _: Answer(next(answers)))
    assert probe(server.url).passed
    assert len(server.requests) == 6


def test_the_last_response_is_in_the_message(serve: Serve) -> None:
    """A failed probe reports status and first lines."""
    server = serve(lambda _: Answer(500, "\n\nInternal error\n  no database\n"))
    clock = FakeClock()
    result = probe(server.url, clock)
    assert not result.passed
    assert result.message == (
        "did not pass within 20 s; last response: status 500, expected 200-399"
    )
    assert result.output == ("Internal error", "no database")
    assert 19 <= clock.elapsed <= 20


def test_only_accepted_codes_pass(serve: Serve) -> None:
    """POST_DEPLOY_STATUS lists codes and ranges."""
    server = serve(lambda _: Answer(404))
    assert probe(server.url, POST_DEPLOY_STATUS="200 204, 400-404").passed
    assert not probe(server.url, POST_DEPLOY_STATUS="400-403").passed


def test_the_body_must_match_the_expression(serve: Serve) -> None:
    """It may match anywhere; `^` and `$` match at line ends."""
    server = serve(lambda _: Answer(body="version: 2.1\nstate: up\n"))
    assert probe(server.url, POST_DEPLOY_BODY="^state: (up|ok)$").passed
    result = probe(server.url, POST_DEPLOY_BODY="version: 3")
    assert 'status 200, but the body does not match "version: 3"' in result.message
    assert result.output[0] == "version: 2.1"


def test_redirects_are_followed_with_cookies_and_without_any_token(serve: Serve) -> None:
    """Also to another port of the host; the portal's token is never sent."""
    other = serve(lambda request: Answer(200 if request.path == "/in?x=1" else 500, "welcome"))

    def respond(request: Request) -> Answer:
        if request.path == "/start":
            return Answer(302, headers={"location": "next", "Set-Cookie": "seen=1; Path=/"})
        if "seen=1" not in request.headers.get("Cookie", ""):
            return Answer(403)
        return Answer(307, headers={"Location": f"{other.url}/in?x=1"})

    server = serve(respond)
    result = probe(f"{server.url}/start", POST_DEPLOY_BODY="welcome")
    assert result.passed, result.message
    assert f"from {other.url}/in?x=1" in result.message
    for request in [*server.requests, *other.requests]:
        assert "Authorization" not in request.headers
        assert "portal-token" not in str(request)


def test_redirects_to_internal_addresses_of_other_hosts_are_not_followed(serve: Serve) -> None:
    """An application cannot have the pipe read an address for it, and print the response."""
    internal = serve(lambda _: Answer(body="SecretAccessKey: of-the-runner"))
    target = internal.url.replace("localhost", "127.0.0.1")
    server = serve(lambda _: Answer(302, headers={"Location": target}))
    result = probe(server.url, POST_DEPLOY_BODY="^healthy", TEST_TIMEOUT="2")
    assert not result.passed
    assert f"redirects to {target}, an internal address of another host" in result.message
    assert internal.requests == []


def test_what_another_host_answers_is_not_shown(serve: Serve) -> None:
    """Its redirect is followed, and its status counts."""

    def respond(request: Request) -> Answer:
        if request.path.startswith("http://web.invalid"):
            return Answer(302, headers={"Location": "http://login.invalid/form"})
        return Answer(500, "SecretAccessKey: of-the-runner")

    proxy = serve(respond)
    result = probe("http://web.invalid/", HTTP_PROXY=proxy.url, TEST_TIMEOUT="2")
    assert "status 500 from http://login.invalid/form" in result.message
    assert result.output == ()


@pytest.mark.parametrize(
    ("target", "followed"),
    [
        *((f"http://{host}/x", True) for host in ("93.184.216.34", "[2606:4700::1111]")),
        ("https://web.example.com:8443/", True),
        ("https://WEB.example.com./", True),
        *(
            (f"http://{host}/latest/meta-data", False)
            for host in (
                *("169.254.169.254", "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.17.0.1"),
                *("0.0.0.0", "100.64.0.1", "2130706433", "0x7f.1", "017700000001", "localhost"),
                *("[::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]"),
                *("[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "user@127.0.0.1"),
            )
        ),
        ("file:///etc/passwd", False),
        ("gopher://web.example.com/", False),
    ],
)
def test_another_host_has_to_be_public(target: str, followed: bool) -> None:
    """Every spelling of an internal address is refused."""
    assert (not redirects.refusal("https://web.example.com/", target, resolve)) is followed


@pytest.mark.parametrize(
    ("addresses", "refusal"),
    [
        (["93.184.216.34"], ""),
        (["93.184.216.34", "10.0.0.1"], "an internal address of another host"),
        (OSError("no such host"), ""),
        (TimeoutError("late"), "whose name DNS does not resolve in time"),
    ],
    ids=["public", "one internal", "unknown", "late"],
)
def test_the_addresses_of_another_host_decide(addresses: list[str] | OSError, refusal: str) -> None:
    """All of them; a name that DNS does not know is left to the request, or to a proxy."""

    def look_up(host: str) -> list[str]:
        assert host == "other.example"
        if isinstance(addresses, OSError):
            raise addresses
        return addresses

    target = "https://other.example/login"
    assert redirects.refusal("https://web.example.com/", target, look_up) == refusal


def test_a_silent_dns_server_does_not_stop_a_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver has no time limit of its own."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answered.wait(30))
    with pytest.raises(TimeoutError, match="was not resolved"):
        resolve("other.example", 0.01)
    answered.set()


def test_a_redirect_to_a_failing_page_fails(serve: Serve) -> None:
    """With the default codes redirects are followed."""
    server = serve(
        lambda request: (
            Answer(302, headers={"Location": "/login"}) if request.path == "/" else Answer(500)
        )
    )
    assert "status 500" in probe(server.url + "/").message


def test_a_redirect_may_be_the_expected_response(serve: Serve) -> None:
    """It is not followed if only redirect codes are accepted."""
    server = serve(lambda _: Answer(301, headers={"Location": "https://elsewhere.invalid/"}))
    assert probe(server.url, POST_DEPLOY_STATUS="301").passed


@pytest.mark.parametrize("location", ["/again", "file:///etc/passwd", "http://[::1", "http://"])
def test_invalid_redirects_fail(serve: Serve, location: str) -> None:
    """Loops, other schemes and malformed addresses."""
    server = serve(lambda _: Answer(302, headers={"Location": location}))
    result = probe(server.url, TEST_TIMEOUT="2")
    assert not result.passed
    assert result.message.startswith("did not pass within 2 s")


def test_the_certificate_is_verified(serve: Serve, tmp_path: Path) -> None:
    """An unknown issuer fails; with CA_CERT it passes."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = serve(lambda _: Answer(), context)
    refused = probe(server.url, TEST_TIMEOUT="2")
    assert not refused.passed
    assert "certificate of localhost" in refused.message
    pem = authority.cert_pem.bytes().decode()
    assert probe(server.url, CA_CERT=pem).passed


def test_a_refused_connection_is_retried_until_the_time_limit() -> None:
    """The server may still be starting."""
    result = probe("http://127.0.0.1:1/health")
    assert not result.passed
    assert "refused the connection" in result.message


def test_progress_is_logged_every_fifteen_seconds(serve: Serve, logged: list[str]) -> None:
    """A changed response is logged at once, repeated ones are not."""
    codes = itertools.chain([502] * 20, itertools.repeat(503))
    server = serve(lambda _: Answer(next(codes)))
    probe(server.url, TEST_TIMEOUT="60")
    lines = [line for line in logged if "status" in line]
    assert 4 <= len(lines) <= 6
    assert "[ 20 s]" in lines[2]
    assert "503" in lines[2]


@pytest.mark.parametrize(
    ("url", "own", "whole"),
    [
        ("/health", "https://web.example.com", "https://web.example.com/health"),
        ("/", "http://web.example.com:8080", "http://web.example.com:8080/"),
        ("/health", "", ""),
        ("https://other.example/x", "https://web.example.com", "https://other.example/x"),
    ],
)
def test_only_a_path_is_completed(url: str, own: str, whole: str) -> None:
    """A complete address is used as it is."""
    assert address(settings(url), own) == whole


def test_lines_of_a_body_end_at_line_feeds_only(serve: Serve) -> None:
    """A vertical tab or a line separator adds no line; long lines are cut with a mark."""
    body = "a\x0bb\x0cc\u2028d\x85e\nsecond\r\n" + "x" * 400
    result = probe(serve(lambda _: Answer(500, body)).url)
    assert result.output == ("a\x0bb\x0cc\u2028d\x85e", "second", f"{'x' * 300}...")
