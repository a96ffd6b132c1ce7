"""A host that responds from a script, in place of the network."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

Response = tuple[int, Mapping[str, str], str]
"""Status, headers and body."""


class Scripted(BaseAdapter):
    """Responds by method and path, from a list in turn; `requests` keeps the requests."""

    def __init__(self, responses: Mapping[str, Response | list[Response]]) -> None:
        super().__init__()
        self._responses = responses
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Return the prepared response to one request."""
        self.requests.append(request)
        scripted = self._responses[f"{request.method} {request.path_url}"]
        status, headers, body = scripted.pop(0) if isinstance(scripted, list) else scripted
        response = requests.Response()
        response.request, response.url = request, str(request.url)
        response.status_code = status
        response.raw = HTTPResponse(io.BytesIO(body.encode()), preload_content=False)
        response.headers.update(headers)
        return response

    def close(self) -> None:
        """Do nothing: nothing is open."""
