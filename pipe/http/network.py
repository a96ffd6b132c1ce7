"""HTTP clients for all addresses of a run, with the same certificates, proxies and clock."""

from __future__ import annotations

import ssl
import threading
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from pipe.clock import Clock
from pipe.http.client import HttpClient
from pipe.http.limits import Limits
from pipe.http.session import open_session
from pipe.settings import Proxies


class Network:
    """Creates clients by address; `adapter` replaces the network in tests."""

    def __init__(
        self, proxies: Proxies, ca_cert: str, clock: Clock, adapter: BaseAdapter | None = None
    ) -> None:
        self.proxies = proxies
        self.ca_cert = ca_cert
        self.clock = clock
        self._adapter = adapter
        self._sessions: dict[str, requests.Session] = {}
        self._lock = threading.Lock()

    def session(self, url: str, context: ssl.SSLContext | None = None) -> requests.Session:
        """Return a new session, for a caller that adds a token to every request.

        `context` replaces the one that trusts the usual authorities.
        """
        return open_session(url, self.proxies, self.ca_cert, self._adapter, context)

    def client(self, url: str, *, setting: str, limits: Limits | None = None) -> HttpClient:
        """Return a client for the scheme, host and port of `url`; see `HttpClient` for `setting`.

        Clients of one address share connections, and neither headers nor cookies.
        """
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            # Images are verified concurrently, most of them in one registry.
            if base not in self._sessions:
                self._sessions[base] = self.session(base)
        return HttpClient(base, self._sessions[base], self.clock, setting=setting, limits=limits)
