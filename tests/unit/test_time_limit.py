"""Responses that drip over a real connection end at the limit, whichever part of them drips."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipe.errors import Unreachable
from pipe.http import HttpClient, Limits
from pipe.http.session import open_session
from pipe.http.time_limit import when_sent
from pipe.settings import Proxies
from tests.support.fake_clock import FakeClock
from tests.support.raw_server import raw_server

WHOLE = 20.0
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def drip(clock: FakeClock, first: bytes, again: bytes) -> Iterator[bytes]:
    """Send `first`, and then `again` for ever, a second apart."""
    yield first
    while True:
        clock.advance(1.0)
        yield again


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"HTTP/1.1 200 ", b"O"),
        (OK + b"X-Slow: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"\r\n", b" "),
        (CHUNKED + b"1;", b"x"),
        (CHUNKED, b"1\r\n \r\n"),
        (CHUNKED + b"0\r\nX-Trailer: ", b"x"),
        (CHUNKED + b"0\r\n", b"X: y\r\n"),
    ],
    ids=["status", "header", "informational", "body", "chunk", "chunks", "trailer", "trailers"],
)
def test_a_response_that_drips_ends_at_the_limit(first: bytes, again: bytes) -> None:
    """Each byte would begin the socket's timeout anew."""
    clock = FakeClock()
    with raw_server(lambda _: drip(clock, first, again)) as port:
        url = f"http://127.0.0.1:{port}"
        limits = Limits(whole=WHOLE, read=10.0)
        http = HttpClient(
            url, open_session(url, Proxies()), clock, setting="DUPLO_HOST", limits=limits
        )
        with pytest.raises(Unreachable, match="began to respond and did not finish within 20 s"):
            http.once("GET", "x")


def test_a_proxy_that_drips_ends_at_the_limit() -> None:
    """Its reply to CONNECT is read inside the libraries."""
    clock = FakeClock()
    with raw_server(lambda _: drip(clock, OK + b"X-Slow: ", b"x")) as port:
        url, proxies = "https://portal.example", Proxies(https=f"http://127.0.0.1:{port}")
        limits = Limits(whole=WHOLE, read=10.0)
        http = HttpClient(
            url, open_session(url, proxies), clock, setting="DUPLO_HOST", limits=limits
        )
        with pytest.raises(Unreachable, match="began to respond and did not finish within 20 s"):
            http.once("GET", "x")


def test_the_time_until_a_response_is_used_once() -> None:
    """From the moment a request was sent: neither before it nor again for the next one."""
    clock, seen = FakeClock(), []

    def answer(_: object) -> Iterator[bytes]:
        seen.append("received")
        assert used.wait(30)
        yield OK + b"Content-Length: 0\r\nConnection: close\r\n\r\n"

    def use() -> None:
        seen.append("sent")
        used.set()

    used = threading.Event()
    with raw_server(answer) as port, when_sent(use):
        url = f"http://127.0.0.1:{port}"
        http = HttpClient(url, open_session(url, Proxies()), clock, setting="DUPLO_HOST")
        assert seen == []
        assert http.once("GET", "x").ok
        assert http.once("GET", "x").ok
    assert sorted(seen) == ["received", "received", "sent"]


def test_without_a_connection_there_is_no_response_to_wait_for() -> None:
    """The first request is still to come then."""
    url = "http://127.0.0.1:1"
    http = HttpClient(url, open_session(url, Proxies()), FakeClock(), setting="DUPLO_HOST")
    with when_sent(lambda: pytest.fail("nothing was sent")), pytest.raises(Unreachable):
        http.once("GET", "x")
