"""A small real HTTP server on this machine, for whatever is asked or told beside the portal."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug import wrappers

from tests.sandbox.listener import Listener


@dataclass(frozen=True)
class Request:
    """What arrived. `path` is the whole address when it came through a proxy."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int = 200
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpServer(Listener):
    """Answers with what `respond` says; `requests` holds everything that arrived."""

    def __init__(
        self, respond: Callable[[Request], Answer], context: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Request] = []
        self._respond = respond
        super().__init__(self._answer, context, "localhost")

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        arrived = wrappers.Request(environ)
        request = Request(
            arrived.method, environ["RAW_URI"], dict(arrived.headers), arrived.get_data()
        )
        self.requests.append(request)
        answer = self._respond(request)
        response = wrappers.Response(answer.body, answer.status, dict(answer.headers))
        return response(environ, start_response)
