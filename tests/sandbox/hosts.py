"""A network for tests: some hosts in process, this machine and proxies by sockets, no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import NameResolutionError

_HERE = ("127.0.0.1", "localhost")


class Hosts(BaseAdapter):
    """Sends each request to the adapter of its host; there is no other host in the world."""

    def __init__(self, known: Mapping[str, BaseAdapter]) -> None:
        super().__init__()
        self._known = known
        self._sockets = HTTPAdapter(max_retries=0)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Pass one request on."""
        host = urlsplit(str(request.url)).hostname or ""
        if host in self._known:
            return self._known[host].send(request, **options)
        if host in _HERE or options.get("proxies"):
            return self._sockets.send(request, **options)
        unknown = NameResolutionError(host, None, OSError("not in this world"))  # type: ignore[arg-type]
        raise requests.ConnectionError(unknown, request=request)

    def close(self) -> None:
        """Close what is open."""
        self._sockets.close()
