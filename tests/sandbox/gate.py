"""Everything that stands between the client and the portal: the log, trouble, other people."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.sandbox.record import RequestRecord, parsed, without_token
from tests.sandbox.script import BREAKS, ApiFault
from tests.sandbox.world import World

BROKEN = "sandbox.broken"
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 64 * 1024
_JSON = "application/json; charset=utf-8"


class Gate:
    """Wraps the portal: catches up with the clock, logs, and makes scripted trouble."""

    def __init__(
        self, portal: Callable[[dict[str, Any], Any], Iterable[bytes]], world: World
    ) -> None:
        self._portal = portal
        self._world = world

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request; a broken connection is left for the transport to act out."""
        request = Request(environ)
        with self._world.lock:
            self._world.advance()
            if request.path.startswith("/sandbox"):
                return self._ask(environ)(environ, start_response)
            response = self._serve(request, environ)
        return response(environ, start_response)

    def _serve(self, request: Request, environ: dict[str, Any]) -> Response:
        body = request.get_data()
        # The portal reads it once more.
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        record = RequestRecord(
            at=self._world.at,
            method=request.method,
            path=request.path,
            query=request.query_string.decode(),
            body=parsed(body.decode(errors="replace")),
            headers=without_token(dict(request.headers)),
        )
        self._world.log.append(record)
        self._others_act(record, "before")
        fault = self._trouble(record)
        response = Response("", 200)
        if fault is None or fault.acts:
            response = self._ask(environ)
            record.user = environ.get("sandbox.user")
            record.acted = 200 <= response.status_code < 300
        if fault is not None:
            record.fault = fault.kind
            response = disguise(fault, response)
        if fault is not None and fault.kind in BREAKS:
            environ.setdefault(BROKEN, []).append(fault.kind)
        else:
            record.status = response.status_code
            if fault is None or fault.kind != "huge":
                record.response_text = response.get_data(as_text=True)
                record.response = parsed(record.response_text)
        self._others_act(record, "after")
        for listener in self._world.listeners:
            listener(record)
        return response

    def _ask(self, environ: dict[str, Any]) -> Response:
        response = Response.from_app(self._portal, environ, buffered=True)
        response.get_data()
        return response

    def _trouble(self, record: RequestRecord) -> ApiFault | None:
        faults = self._world.scripted
        return next((one for one in faults if one.takes(record.method, record.path)), None)

    def _others_act(self, record: RequestRecord, moment: str) -> None:
        for intrusion in list(self._world.intrusions):
            if intrusion.moment == moment and intrusion.due(record.method, record.path):
                intrusion.action(self._world)


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
        return Response(honest.get_data(), honest.status_code, content_type="text/plain")
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
