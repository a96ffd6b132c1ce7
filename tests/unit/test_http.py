"""HTTP requests: limits, retries and errors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPHeaderDict
from urllib3.response import HTTPResponse

from pipe import retry
from pipe.errors import Unreachable
from pipe.http import HttpClient, Limits, Reply
from pipe.http.session import open_session
from pipe.portal import error_body
from pipe.settings import Proxies
from tests.support.fake_clock import FakeClock

URL = "https://portal.example"


class Responses(BaseAdapter):
    """Returns prepared responses in turn: a status, a (status, body, headers), or an exception."""

    def __init__(self, *responses: Any) -> None:
        super().__init__()
        self.responses = list(responses)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        answer = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = answer if isinstance(answer, tuple) else (answer, b"[]", {})
        raw = HTTPResponse(
            body=io.BytesIO(body),
            status=status,
            headers=HTTPHeaderDict(headers),
            preload_content=False,
        )
        response = requests.adapters.HTTPAdapter().build_response(request, raw)
        response.url = request.url or ""
        return response

    def close(self) -> None:
        """Do nothing: nothing is open."""


def client(adapter: Responses, limits: Limits | None = None) -> tuple[HttpClient, FakeClock]:
    """Return a client whose network is `adapter`, and its clock."""
    clock = FakeClock()
    session = open_session(URL, Proxies(), adapter=adapter)
    return HttpClient(URL, session, clock, setting="DUPLO_HOST", limits=limits), clock


def read(adapter: Responses) -> tuple[Callable[[], Reply], FakeClock]:
    """Return a repeatable read, and the clock it waits on."""
    http, clock = client(adapter)
    return lambda: http.repeatable("GET", "x", transient=error_body.transient), clock


@pytest.mark.parametrize(
    "first",
    [
        429,
        500,
        502,
        503,
        504,
        (400, b'{"Message":"Rate exceeded"}', {}),
        (400, b'"Exception from HRESULT: 0x800"', {}),
        (200, b'[{"Name": "we', {}),
        (200, b"<html>busy</html>", {}),
        requests.ConnectionError("reset"),
        requests.ReadTimeout("silent"),
    ],
    ids=str,
)
def test_temporary_failures_are_retried(first: Any) -> None:
    """Gateway errors, throttling, truncated bodies and broken connections."""
    adapter = Responses(first, 200)
    request, clock = read(adapter)
    assert request().status == 200
    assert clock.slept == [1.0]


def test_the_retry_of_a_truncated_success_does_not_blame_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A status of 200 explains nothing."""
    lines: list[str] = []
    monkeypatch.setattr(retry.log, "warning", lambda line, *values: lines.append(line % values))
    request, _ = read(Responses((200, b'[{"Name": "we', {}), 200))
    request()
    assert lines == [f"{URL} returned an incomplete response. Trying again in 1 s."]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 301])
def test_a_refusal_is_not_retried(status: int) -> None:
    """A retry could not succeed."""
    adapter = Responses((status, b"no", {}), 200)
    request, clock = read(adapter)
    assert request().status == status
    assert clock.slept == []


def test_pauses_grow_until_the_tries_are_used_up() -> None:
    """They double, and the number of tries limits them."""
    adapter = Responses(503)
    request, clock = read(adapter)
    assert request().status == 503
    assert clock.slept == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(("requested", "pause"), [("3", 3.0), ("600", 15.0), ("soon", 1.0)])
def test_retry_after_is_honoured_up_to_a_limit(requested: str, pause: float) -> None:
    """A portal that requests ten minutes gets fifteen seconds."""
    adapter = Responses((429, b"", {"Retry-After": requested}), 200)
    request, clock = read(adapter)
    request()
    assert clock.slept == [pause]


def test_timeouts_do_not_add_up() -> None:
    """All tries of one request end within its patience."""
    clock = FakeClock()

    class Silent(Responses):
        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
            clock.advance(60)
            raise requests.ReadTimeout

    session = open_session(URL, Proxies(), adapter=Silent(0))
    http = HttpClient(URL, session, clock, setting="DUPLO_HOST")
    with pytest.raises(Unreachable, match="did not respond for 60 s"):
        http.repeatable("GET", "x", transient=error_body.transient)
    assert clock.elapsed <= 125


def test_a_huge_response_is_refused() -> None:
    """Memory is bounded whatever the server sends."""
    http, _ = client(Responses((200, b"x" * (2 << 20), {})), Limits(body=1 << 20))
    with pytest.raises(Unreachable, match="more than 1 MB"):
        http.once("GET", "x")


def test_a_response_that_announces_too_much_is_not_read() -> None:
    """Neither memory nor time is spent on it."""
    announced = (200, b"[]", {"Content-Length": str(2 << 20)})
    http, _ = client(Responses(announced), Limits(body=1 << 20))
    with pytest.raises(Unreachable, match="more than 1 MB"):
        http.once("GET", "x")


def test_redirects_are_not_followed() -> None:
    """The token is not sent to another address."""
    adapter = Responses((302, b"", {"Location": "https://evil.example/"}), 200)
    http, _ = client(adapter)
    assert http.once("GET", "x").status == 302
    assert len(adapter.requests) == 1


@pytest.mark.parametrize(
    ("error", "may_have_applied", "retryable"),
    [
        (requests.ConnectTimeout(), False, True),
        (requests.ReadTimeout(), True, True),
        (requests.ConnectionError(ConnectionResetError()), True, True),
        (requests.ConnectionError(ConnectionRefusedError()), False, True),
        (requests.exceptions.ChunkedEncodingError(), True, True),
        (requests.exceptions.ProxyError(OSError("407")), False, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_report_whether_the_request_may_have_been_applied(
    error: Exception, may_have_applied: bool, retryable: bool
) -> None:
    """A change that never arrived is not read back."""
    http, _ = client(Responses(error))
    with pytest.raises(Unreachable) as caught:
        http.once("PUT", "x", {})
    assert (caught.value.may_have_applied, caught.value.retryable) == (may_have_applied, retryable)


def test_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and certificates come from the settings alone."""
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere:1")
    session = open_session(URL, Proxies())
    assert not session.trust_env
    assert session.proxies == {}


@pytest.mark.parametrize(
    ("url", "exempt", "used"),
    [
        ("https://portal.example", "", True),
        ("https://portal.example", "other.example", True),
        ("https://portal.example", "portal.example", False),
        ("https://portal.example", ".example", False),
        ("http://localhost:1", "", False),
        ("http://127.0.0.1:1", "", False),
        ("http://host.docker.internal:1", "", False),
    ],
)
def test_local_and_exempt_hosts_bypass_the_proxy(url: str, exempt: str, used: bool) -> None:
    """All other hosts are reached through it."""
    proxies = Proxies(http="http://proxy:1", https="http://proxy:2", exempt=exempt)
    assert bool(open_session(url, proxies).proxies) is used


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"Service web does not exist", "Service web does not exist"),
        (b'{"Message": "Rate exceeded"}', "Rate exceeded"),
        (b'"Service is being updated"', "Service is being updated"),
        (b'{"message": "no"}', "no"),
        (b'{"error": {"message": "deep"}}', "deep"),
        (b'{"title": "Bad", "detail": "x"}', "Bad"),
        (b"<html><style>p{}</style><h1>502</h1>\nBad\tGateway</html>", "502 Bad Gateway"),
        (b"", ""),
        (b"\x1b[31mred\x00", "[31mred"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * 300 + "..."),
    ],
)
def test_every_form_of_error_body_becomes_one_line(body: bytes, line: str) -> None:
    """The portal sends five forms."""
    assert error_body.message(Reply(400, {}, body)) == line


def test_a_body_is_decoded_while_it_arrives() -> None:
    """The reply keeps only its beginning, for an error message."""
    sizes: list[int] = []

    def count(pieces: Iterable[bytes]) -> int:
        sizes.extend(len(piece) for piece in pieces)
        return sum(sizes)

    http, _ = client(Responses((200, b"x" * 1_000_000, {}), (200, b"<html>", {})))
    reply = http.once("GET", "x", stream=count)
    assert reply.json() == 1_000_000
    assert len(sizes) > 1
    assert len(reply.body) == sizes[0]
    refused = http.once("GET", "x", stream=lambda pieces: int(b"".join(pieces)))
    assert refused.body == b"<html>"
    for _ in range(2):
        with pytest.raises(ValueError, match="html"):
            refused.json()


def test_an_error_body_is_not_parsed_by_the_reader_of_the_list() -> None:
    """`Rate exceeded` in place of a list is retried too."""

    def reader(pieces: Iterable[bytes]) -> Any:
        raise ValueError(pieces)

    def transient(reply: Reply) -> bool:
        replies.append(reply)
        return reply.status == 400

    replies: list[Reply] = []
    clock = FakeClock()
    adapter = Responses((400, b'{"Message":"Rate exceeded"}', {}), (500, b"", {}))
    session = open_session(URL, Proxies(), adapter=adapter)
    http = HttpClient(URL, session, clock, setting="DUPLO_HOST")
    reply = http.repeatable("GET", "x", transient=transient, stream=reader)
    assert reply.status == 500
    assert clock.slept == [1.0]
    assert error_body.message(replies[0]) == "Rate exceeded"
