"""The `requests` session of every connection: certificates, proxies, nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.utils import should_bypass_proxies

from pipe.hosts import LOCAL_HOSTS
from pipe.http.time_limit import POOLS
from pipe.http.tls import tls_context
from pipe.settings import Proxies


class BoundedSession(requests.Session):
    """Leaves every redirect to its caller.

    `requests` prepares the next request even if redirects are not followed. For that it reads the
    whole body, without any limit, and parses the address that the server names.
    """

    def resolve_redirects(self, *_args: Any, **_options: Any) -> Iterator[Any]:
        """Return no further requests, and touch nothing of the response."""
        return iter(())


class TimedAdapter(HTTPAdapter):
    """Ends responses at the limit of `pipe.http.time_limit`."""

    def __init__(self) -> None:
        # HttpClient retries, because it knows which requests are safe to repeat.
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pool with connections that keep to the limit."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Use such connections through a proxy too."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager


class VerifyingAdapter(TimedAdapter):
    """Uses TLS as `context` has it: see `pipe.http.tls`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pool with this adapter's context."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave verification to the context.

        `requests` would load its authorities again for every connection, which takes longer than
        the handshake itself.
        """
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Use the same context for connections through a proxy, and to a proxy that uses TLS.

        Without one, urllib3 would trust the authorities that SSL_CERT_FILE names.
        """
        return super().proxy_manager_for(
            *args, ssl_context=self._context, proxy_ssl_context=self._context, **kwargs
        )


def open_session(
    url: str,
    proxies: Proxies,
    ca_cert: str = "",
    adapter: BaseAdapter | None = None,
    context: ssl.SSLContext | None = None,
) -> requests.Session:
    """Return a session for requests to the host of `url`; `adapter` replaces the network in tests.

    `context` replaces the one that trusts `ca_cert` and the usual authorities. The environment
    is ignored: `requests` would take proxies, certificates and even an Authorization header (from
    a .netrc file) from it.
    """
    session = BoundedSession()
    session.trust_env = False
    # Threads share the session, and only a cookie jar that stays empty is safe to share.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    parts = urlsplit(url)
    if adapter is None:
        is_tls = parts.scheme == "https"
        adapter = VerifyingAdapter(context or tls_context(ca_cert)) if is_tls else TimedAdapter()
    session.mount(f"{parts.scheme}://", adapter)
    if address := proxy_for(url, proxies):
        session.proxies = {parts.scheme: address}
    return session


def proxy_for(url: str, proxies: Proxies) -> str:
    """Return the proxy for requests to `url`, empty for none."""
    parts = urlsplit(url)
    if parts.hostname in LOCAL_HOSTS:
        return ""
    if should_bypass_proxies(url, no_proxy=proxies.exempt):
        return ""
    return proxies.https if parts.scheme == "https" else proxies.http
