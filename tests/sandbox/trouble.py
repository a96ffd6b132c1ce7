"""Trouble on the way, for any web application: an answer disguised, a connection broken off."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.sandbox.script import BREAKS, ApiFault

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

BROKEN = "sandbox.broken"
"""Where the transport finds how the connection is to break; it acts that out."""

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 64 * 1024
_JSON = "application/json; charset=utf-8"


class Troubled:
    """`app` with scripted trouble before it, and a count of what was asked."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self.faults: list[ApiFault] = []
        self.asked = 0
        self.before: Callable[[int], object] = lambda _: None
        """Called before each answer, with the number of the request."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request; a broken connection is left for the transport to act out."""
        request = Request(environ)
        rewind(environ, request.get_data())
        self.asked += 1
        self.before(self.asked)
        fault = next((one for one in self.faults if one.takes(request.method, request.path)), None)
        response = troubled(fault, environ, lambda: ask(self._app, environ))
        return response(environ, start_response)


def troubled(
    fault: ApiFault | None, environ: dict[str, Any], answer: Callable[[], Response]
) -> Response:
    """What the client gets; `answer` is only asked for where the other side acts."""
    honest = answer() if fault is None or fault.acts else Response("", 200)
    if fault is None:
        return honest
    if fault.kind in BREAKS:
        environ.setdefault(BROKEN, []).append(fault.kind)
    return disguise(fault, honest)


def ask(app: WsgiApp, environ: dict[str, Any]) -> Response:
    """The whole answer of an application."""
    response = Response.from_app(app, environ, buffered=True)
    response.get_data()
    return response


def rewind(environ: dict[str, Any], body: bytes) -> None:
    """Let the next one read the body once more."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def disguise(fault: ApiFault, honest: Response) -> Response:
    """What the client gets instead of the honest answer."""
    if fault.kind == "status":
        return Response(
            fault.body, fault.status, headers=fault.headers, content_type=fault.content_type
        )
    if fault.kind == "rate-exceeded":
        return Response(json.dumps({"Message": "Rate exceeded"}), 400, content_type=_JSON)
    if fault.kind == "html":
        page = fault.body or "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"
        return Response(page, 200, content_type="text/html; charset=utf-8")
    if fault.kind == "huge":
        return Response(_bulk(fault.size), 200, content_type=_JSON)
    if fault.kind == "redirect":
        moved = {"Location": fault.location}
        status = fault.status if fault.status in _REDIRECTS else 302
        return Response("", status, moved)
    if fault.kind == "truncated":
        whole = honest.get_data() or b'[{"Name": "web"}]'
        return Response(whole[: max(1, len(whole) // 2)], 200, content_type=_JSON)
    if fault.kind == "content-type":
        honest.content_type = "text/plain"
    return honest


def _bulk(size: int) -> Iterator[bytes]:
    """A JSON string of that many bytes, made while it is sent."""
    yield b'"'
    left = size - 2
    while left > 0:
        part = min(left, _CHUNK)
        yield b"x" * part
        left -= part
    yield b'"'
