"""A web application as a transport of `requests`: no socket, no waiting, the same exceptions."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.response import HTTPResponse
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from pipe.clock import Clock
from tests.sandbox.trouble import BROKEN, WsgiApp

Timeout = float | tuple[float | None, float | None] | None


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
        # The environment is copied on the way; a list in it is still the same list.
        broken: list[str] = []
        environ = self._environ(request) | {BROKEN: broken}
        pass_time(self._clock, self._latency)
        body, status, headers = run_wsgi_app(self._app, environ, buffered=False)
        if broken:
            self._break(broken[0], request, timeout)
        code, _, reason = status.partition(" ")
        raw = HTTPResponse(
            body=io.BufferedReader(_Readable(iter(body))),
            headers=HTTPHeaderDict(list(headers)),
            status=int(code),
            reason=reason,
            preload_content=False,
            request_method=request.method,
        )
        response = self.build_response(request, raw)
        if not stream:
            # Reading at once is what a session does for everybody who does not ask to stream.
            _ = response.content
        return response

    def close(self) -> None:
        """Nothing is held open."""

    def _environ(self, request: requests.PreparedRequest) -> dict[str, Any]:
        url = urlsplit(str(request.url))
        body = request.body or b""
        builder = EnvironBuilder(
            base_url=f"{url.scheme}://{url.netloc}/",
            query_string=url.query,
            method=request.method or "GET",
            headers=Headers(list(request.headers.items())),
            input_stream=io.BytesIO(body.encode() if isinstance(body, str) else bytes(body)),
        )
        try:
            environ = builder.get_environ()
        finally:
            builder.close()
        environ["PATH_INFO"] = unquote_to_bytes(url.path or "/").decode("latin-1")
        return environ

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


def pass_time(clock: Clock, seconds: float) -> None:
    """Let the clock go on without anybody having slept."""
    if seconds > 0:
        advance = getattr(clock, "advance", clock.sleep)
        advance(seconds)


class _Readable(io.RawIOBase):
    """The parts of a body as a file, so that a big one is never held as a whole."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._left = part
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
