"""A small HTTP server on this machine, for webhooks, pages and proxies."""

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
    """A received request. `path` is the whole URL when it came through a proxy."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """The response to send."""

    status: int = 200
    body: str | bytes | Iterable[bytes] = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpServer(Listener):
    """Responds with what `respond` returns; `requests` records every request."""

    def __init__(
        self, respond: Callable[[Request], Answer], context: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Request] = []
        self._respond = respond
        super().__init__(self._answer, context, "localhost")

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        received = wrappers.Request(environ)
        request = Request(
            received.method, environ["RAW_URI"], dict(received.headers), received.get_data()
        )
        self.requests.append(request)
        answer = self._respond(request)
        # Without werkzeug's response, which corrects headers.
        headers = {"Content-Type": "text/plain; charset=utf-8", **answer.headers}
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        if isinstance(body, bytes):
            headers["Content-Length"] = str(len(body))
            body = [body]
        start_response(f"{answer.status} Status", list(headers.items()))
        return body
