"""Redirects from hostile servers, over real sockets: every limit holds for them as well."""

from __future__ import annotations

import gzip
import re
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache

import pytest

from pipe.clock import SystemClock
from pipe.deploy_tests.probe import Probe
from pipe.errors import Refused, Unreachable
from pipe.http import Limits, Network, Reply
from pipe.http.session import BoundedSession, open_session
from pipe.notify import delivery
from pipe.notify.background import DeliveryFailed
from pipe.portal.connect import connect
from pipe.secret import Secret
from pipe.settings import Proxies, load
from tests.contract.documents import ROOT
from tests.support.environment import environment
from tests.support.harness import Harness
from tests.support.http_server import Answer, HttpServer, Request

LIMITS = Limits(connect=2.0, read=2.0, whole=1.0, body=1 << 20, tries=1)
MEGABYTE = bytes(1 << 20)
BAD_LOCATIONS = ["https://[::bad", "https://host:99999999/", "http://", "\xff", "x" * 60_000]
STATUSES = [301, 302, 303, 307, 308]


@cache
def bomb(megabytes: int = 100) -> bytes:
    """Return zeros, compressed to a thousandth."""
    return gzip.compress(MEGABYTE * megabytes, 6)


def redirect(status: int = 302, location: str = "/next", **answer: object) -> Answer:
    """Return a redirect with this body and these headers."""
    headers = {"Location": location, **answer.pop("headers", {})}  # type: ignore[dict-item]
    return Answer(status, headers=headers, **answer)  # type: ignore[arg-type]


def drip() -> Iterator[bytes]:
    """Yield a byte a tenth of a second, for longer than any test waits."""
    for _ in range(50):
        time.sleep(0.1)
        yield b"x"


def get(server: HttpServer) -> Reply:
    """Send one request, as every part of the pipe does."""
    network = Network(Proxies(), "", SystemClock())
    return network.client(server.url, setting="DUPLO_HOST", limits=LIMITS).once("GET", "x")


@pytest.mark.parametrize("status", STATUSES)
def test_a_compressed_redirect_is_refused_in_bounded_memory(status: int) -> None:
    """A hundred megabytes in a hundred kilobytes end at the limit of one megabyte."""
    answer = redirect(status, body=bomb(), headers={"Content-Encoding": "gzip"})
    with HttpServer(lambda _: answer) as server:
        get_once(server)  # what is loaded on first use does not count
        tracemalloc.start()
        try:
            with pytest.raises(Unreachable, match="more than 1 MB"):
                get(server)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 32 << 20  # the server runs in this process, too


def get_once(server: HttpServer) -> None:
    """Send one request, whatever becomes of it."""
    with pytest.raises(Unreachable):
        get(server)


def test_an_endless_redirect_is_refused() -> None:
    """The server gets rid of little more than the limit."""
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        for _ in range(500):
            sent.append(1)
            yield MEGABYTE

    with (
        HttpServer(lambda _: redirect(body=endless())) as server,
        pytest.raises(Unreachable, match="more than 1 MB"),
    ):
        get(server)
    assert len(sent) < 50


def test_a_dripping_redirect_is_given_up() -> None:
    """It ends with the limit for the whole response."""
    with HttpServer(lambda _: redirect(body=drip())) as server:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="did not finish within 1 s"):
            get(server)
        assert time.monotonic() - began < 2.5


@pytest.mark.parametrize("location", BAD_LOCATIONS)
def test_the_address_in_a_redirect_is_not_parsed(location: str) -> None:
    """The reply is complete, whatever it names."""
    with HttpServer(lambda _: redirect(location=location)) as server:
        assert get(server).status == 302


@pytest.mark.parametrize("location", BAD_LOCATIONS)
def test_the_portal_is_refused_for_any_redirect(location: str) -> None:
    """The message names the target where it can be read."""
    with HttpServer(lambda _: redirect(location=location)) as server:
        portal = connect(
            server.url, Secret("token"), Network(Proxies(), "", SystemClock()), "DUPLO_TOKEN"
        )
        with pytest.raises(Refused, match="redirects to another address for the list of tenants"):
            portal.tenants.list()


@pytest.mark.parametrize("location", BAD_LOCATIONS)
def test_a_receiver_is_refused_for_any_redirect(location: str) -> None:
    """A notification never raises anything else."""
    with HttpServer(lambda _: redirect(location=location)) as server:
        session = open_session(server.url, Proxies())
        with pytest.raises(DeliveryFailed, match="returned 302"):
            delivery.post(f"{server.url}/hook", {}, session, SystemClock(), "SLACK_WEBHOOK")


def test_every_session_leaves_redirects_to_its_caller() -> None:
    """No module opens a session of its own, or calls the functions of `requests` that do."""
    opened = re.compile(r"requests\.(Session|session|get|post|put|head|request)\(|urlopen\(")
    sources = {path: path.read_text("utf-8") for path in ROOT.glob("pipe/**/*.py")}
    assert [str(path) for path, text in sources.items() if opened.search(text)] == []
    assert isinstance(open_session("https://x.example", Proxies()), BoundedSession)
    assert isinstance(open_session("http://localhost:1", Proxies()), BoundedSession)


ATTACKS = {
    "bomb": lambda: redirect(body=bomb(), headers={"Content-Encoding": "gzip"}),
    "drip": lambda: redirect(body=drip()),
    "location": lambda: redirect(location="https://[::bad"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_probe_of_a_hostile_application_ends_in_time(attack: str) -> None:
    """TEST_TIMEOUT holds, and the result is a failed test."""
    with HttpServer(lambda _: ATTACKS[attack]()) as server:
        variables = environment("portal.example", "token-0123456789", TEST_TIMEOUT="2")
        settings = load({**variables, "POST_DEPLOY_URL": server.url})
        began = time.monotonic()
        result = Probe(settings, server.url, SystemClock()).run()
        assert time.monotonic() - began < 5
    assert not result.passed
    assert "did not pass within 2 s" in result.message


def test_a_hostile_application_cannot_prevent_its_rollback(harness: Harness) -> None:
    """A redirect without an address fails the test, and the previous version is restored."""
    harness.web()

    def respond(_: Request) -> Answer:
        return redirect(location="https://[::bad")

    with HttpServer(respond) as server:
        result = harness.deploy(POST_DEPLOY_URL=server.url, TEST_TIMEOUT="3", ROLLBACK="true")
    assert result.code == 8, result.text
    assert "which is not an http address" in result.text
