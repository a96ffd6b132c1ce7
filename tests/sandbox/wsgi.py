"""A web application as a transport of `requests`: no socket, no waiting, the same exceptions."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.response import HTTPResponse
from werkzeug.test import run_wsgi_app

from pipe.clock import Clock
from tests.sandbox.fault_injection import BROKEN, WsgiApp
from tests.sandbox.gate import Gate

Timeout = float | tuple[float | None, float | None] | None

_BUFFER = 1 << 16


class WsgiAdapter(HTTPAdapter):
    """Mounted on a session, it answers from the app; each request takes `latency` seconds."""

    def __init__(self, app: WsgiApp, clock: Clock, latency: float = 0.0) -> None:
        super().__init__()
        self._app = app
        self._clock = clock
        self._latency = latency

    def send(  # noqa: PLR0917 - the base class takes them in this order
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Timeout = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Answer one request, or raise what a real connection would have raised."""
        # The environment is copied on the way; the application appends to this very list.
        broken: list[str] = []
        environ = wsgi_environ(request) | {BROKEN: broken}
        pass_time(self._clock, self._latency)
        body, status, headers = _answer(self._app, environ)
        if broken:
            self._break(broken[0], request, timeout)
        code, _, reason = status.partition(" ")
        raw = HTTPResponse(
            body=io.BufferedReader(_BodyReader(iter(body)), _BUFFER),
            headers=HTTPHeaderDict(list(headers)),
            status=int(code),
            reason=reason,
            preload_content=False,
            request_method=request.method,
        )
        response = self.build_response(request, raw)
        if not stream:
            # A session reads the body at once unless it is asked to stream.
            _ = response.content
        return response

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _break(self, kind: str, request: requests.PreparedRequest, timeout: Timeout) -> None:
        if kind == "refused":
            refused = NewConnectionError(None, "[Errno 111] Connection refused")  # type: ignore[arg-type]
            raise requests.ConnectionError(refused, request=request)
        if kind.startswith("reset"):
            reset = ProtocolError(
                "Connection aborted.", ConnectionResetError(104, "Connection reset by peer")
            )
            raise requests.ConnectionError(reset, request=request)
        limit = timeout[1] if isinstance(timeout, tuple) else timeout
        if limit is None:
            raise AssertionError(f"no read limit: {request.method} {request.url} would hang")
        pass_time(self._clock, limit)
        slow = ReadTimeoutError(None, request.url, f"Read timed out. (read timeout={limit})")  # type: ignore[arg-type]
        raise requests.ReadTimeout(slow, request=request)


def _answer(app: WsgiApp, environ: dict[str, Any]) -> tuple[Iterable[bytes], str, Any]:
    """Return body, status and headers of the response; most come from a `Gate`, without detours."""
    if isinstance(app, Gate):
        return app.answer(environ).get_wsgi_response(environ)
    return run_wsgi_app(app, environ, buffered=False)


def wsgi_environ(request: requests.PreparedRequest) -> dict[str, Any]:
    """Return the WSGI environment of a request; werkzeug's builder would cost more than the reply.

    The path is decoded as PEP 3333 asks for: bytes, one character each.
    """
    url = urlsplit(str(request.url))
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else bytes(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method or "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "",
        "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def pass_time(clock: Clock, seconds: float) -> None:
    """Move the clock on, without a sleep of its own where the clock allows that."""
    if seconds > 0:
        advance = getattr(clock, "advance", clock.sleep)
        advance(seconds)


class _BodyReader(io.RawIOBase):
    """The chunks of a body as a file, so that a big one is never held in memory as a whole."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
