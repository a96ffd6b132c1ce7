"""The network of the tests: hosts in process; this machine and proxies by sockets; nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import NameResolutionError

_LOCAL = ("127.0.0.1", "localhost")


class Hosts(BaseAdapter):
    """Sends each request to the adapter of its host; no other host name resolves."""

    def __init__(self, known: Mapping[str, BaseAdapter]) -> None:
        super().__init__()
        self._known = known
        self._sockets = HTTPAdapter(max_retries=0)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Pass one request on."""
        host = urlsplit(str(request.url)).hostname or ""
        if host in self._known:
            return self._known[host].send(request, **options)
        if host in _LOCAL or options.get("proxies"):
            return self._sockets.send(request, **options)
        unknown = NameResolutionError(host, None, OSError("not a host of this test"))  # type: ignore[arg-type]
        raise requests.ConnectionError(unknown, request=request)

    def close(self) -> None:
        """Close the sockets."""
        self._sockets.close()
