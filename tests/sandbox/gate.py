"""What happens between the client and the portal: the log, faults, changes by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.sandbox.current import SEED, WORLD
from tests.sandbox.fault_injection import rewind, with_fault
from tests.sandbox.record import RequestRecord, parsed, without_token
from tests.sandbox.script import BREAKS, ApiFault
from tests.sandbox.world import World

Answer = Callable[[dict[str, Any]], Response]
"""An application that returns its complete response."""


class Gate:
    """Serves one world: catches up with the clock, logs, and injects scripted faults."""

    def __init__(
        self, portal: Answer, world: World, seed: Callable[[World], None] | None = None
    ) -> None:
        self._portal = portal
        self._world = world
        self._seed = seed

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request as a server does."""
        return self.answer(environ)(environ, start_response)

    def answer(self, environ: dict[str, Any]) -> Response:
        """Answer one request; a broken connection is left for the transport to act out."""
        environ[WORLD], environ[SEED] = self._world, self._seed
        request = Request(environ)
        with self._world.lock:
            self._world.advance()
            if request.path.startswith("/sandbox"):
                return self._portal(environ)
            return self._serve(request, environ)

    def _serve(self, request: Request, environ: dict[str, Any]) -> Response:
        body = request.get_data()
        rewind(environ, body)
        record = RequestRecord(
            at=self._world.at,
            method=request.method,
            path=request.path,
            query=request.query_string.decode(),
            body=parsed(body.decode(errors="replace")),
            headers=without_token(dict(request.headers)),
        )
        self._world.log.append(record)
        self._intrude(record, "before")
        fault = self._next_fault(record)
        response = with_fault(fault, environ, lambda: self._ask(environ, record))
        record.fault = fault.kind if fault else None
        if fault is None or fault.kind not in BREAKS:
            record.status = response.status_code
            if fault is None or fault.kind != "huge":
                record.response_text = response.get_data(as_text=True)
        self._intrude(record, "after")
        for listener in self._world.listeners:
            listener(record)
        return response

    def _ask(self, environ: dict[str, Any], record: RequestRecord) -> Response:
        response = self._portal(environ)
        record.acted = 200 <= response.status_code < 300
        return response

    def _next_fault(self, record: RequestRecord) -> ApiFault | None:
        faults = self._world.scripted
        return next((one for one in faults if one.takes(record.method, record.path)), None)

    def _intrude(self, record: RequestRecord, moment: str) -> None:
        for intrusion in list(self._world.intrusions):
            if intrusion.moment == moment and intrusion.due(record.method, record.path):
                intrusion.action(self._world)
