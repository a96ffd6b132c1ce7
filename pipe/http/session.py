"""The `requests` session that every connection uses: certificates, proxies, no surprises."""

from __future__ import annotations

import ssl
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, BaseAdapter, HTTPAdapter
from requests.utils import should_bypass_proxies

from pipe.hosts import LOCAL_HOSTS
from pipe.settings import Proxies


class VerifyingAdapter(HTTPAdapter):
    """Speaks TLS 1.2 or newer and trusts `ca_cert` besides the usual authorities."""

    def __init__(self, ca_cert: str) -> None:
        self._context = trusting(ca_cert)
        # Retries belong to HttpClient, which knows what may be repeated.
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Give the pool this adapter's trust."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the trust to the context: requests would load its authorities again each time.

        That takes longer than the handshake itself, on every connection.
        """
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Give connections through a proxy the same trust."""
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)


@lru_cache(maxsize=1)
def trusting(ca_cert: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, with the usual authorities and those in `ca_cert` (PEM text).

    One for every connection of a run: to load the authorities takes longer than a handshake.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if ca_cert:
        context.load_verify_locations(cadata=ca_cert)
        # From 3.13 on Python refuses authorities that lack an extension of RFC 5280, as those of
        # companies often do. Trust, names and dates are checked all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def open_session(
    url: str, proxies: Proxies, ca_cert: str = "", adapter: BaseAdapter | None = None
) -> requests.Session:
    """A session for requests to `url`'s host; `adapter` replaces the network in tests.

    The environment is not trusted: requests would otherwise take proxies, certificates and,
    from a .netrc file, even another Authorization header from it.
    """
    session = requests.Session()
    session.trust_env = False
    # Threads share the session: a jar that stays empty is one that nobody changes under another.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    parts = urlsplit(url)
    if adapter is None and parts.scheme == "https":
        adapter = VerifyingAdapter(ca_cert)
    if adapter is not None:
        session.mount(f"{parts.scheme}://", adapter)
    if address := proxy_for(url, proxies):
        session.proxies = {parts.scheme: address}
    return session


def proxy_for(url: str, proxies: Proxies) -> str:
    """The proxy that requests to `url` go through, empty for none."""
    parts = urlsplit(url)
    if parts.hostname in LOCAL_HOSTS:
        return ""
    if should_bypass_proxies(url, no_proxy=proxies.exempt):
        return ""
    return proxies.https if parts.scheme == "https" else proxies.http
