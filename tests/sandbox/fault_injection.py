"""Faults in front of any web application: spoilt responses and broken connections."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.sandbox.script import BREAKS, ApiFault

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

BROKEN = "sandbox.broken"
"""Key of the WSGI environment for how the connection breaks; the transport acts on it."""

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = b"x" * (64 << 10)
_JSON = "application/json; charset=utf-8"


class FaultyApp:
    """`app` with scripted faults in front of it, and a count of its requests."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self.faults: list[ApiFault] = []
        self.requests = 0
        self.before: Callable[[int], object] = lambda _: None
        """Called before each response, with the number of the request."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request; a broken connection is left for the transport to act out."""
        request = Request(environ)
        rewind(environ, request.get_data())
        self.requests += 1
        self.before(self.requests)
        fault = next((one for one in self.faults if one.takes(request.method, request.path)), None)
        response = with_fault(fault, environ, lambda: ask(self._app, environ))
        return response(environ, start_response)


def with_fault(
    fault: ApiFault | None, environ: dict[str, Any], answer: Callable[[], Response]
) -> Response:
    """Return what the client receives; `answer` is called only if the server acts."""
    genuine = answer() if fault is None or fault.acts else Response("", 200)
    if fault is None:
        return genuine
    if fault.kind in BREAKS:
        environ.setdefault(BROKEN, []).append(fault.kind)
    return spoil(fault, genuine)


def ask(app: WsgiApp, environ: dict[str, Any]) -> Response:
    """Return the complete response of an application."""
    response = Response.from_app(app, environ, buffered=True)
    response.get_data()
    return response


def rewind(environ: dict[str, Any], body: bytes) -> None:
    """Make the body readable once more."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def spoil(fault: ApiFault, genuine: Response) -> Response:
    """Return what the client receives in place of the genuine response."""
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
        return Response(_bulk(fault.size), 200, headers=fault.headers, content_type=_JSON)
    if fault.kind == "redirect":
        moved = {"Location": fault.location}
        status = fault.status if fault.status in _REDIRECTS else 302
        return Response("", status, moved)
    if fault.kind == "truncated":
        whole = genuine.get_data() or b'[{"Name": "web"}]'
        return Response(whole[: max(1, len(whole) // 2)], 200, content_type=_JSON)
    if fault.kind == "content-type":
        genuine.content_type = "text/plain"
    return genuine


def _bulk(size: int) -> Iterator[bytes]:
    """Yield a JSON string of that many bytes, made while it is sent."""
    whole, rest = divmod(size - 2, len(_CHUNK))
    yield b'"'
    yield from repeat(_CHUNK, whole)
    yield _CHUNK[:rest]
    yield b'"'
