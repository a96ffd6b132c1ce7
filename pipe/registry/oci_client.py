"""Requests to an OCI registry, with the authorization it demands.

The flow is that of the distribution project: a request without credentials is refused with a
challenge, which names a token service (Bearer) or asks for the password itself (Basic).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import SplitResult, urlencode, urlsplit

from pipe.errors import Unreachable
from pipe.hosts import LOCAL_HOSTS, is_internal
from pipe.http import HttpClient, Limits, Network, Reply
from pipe.http.address import LONGEST, parse
from pipe.http.excerpt import one_line
from pipe.registry import oci_reply
from pipe.registry.address import OciAddress
from pipe.registry.base import MANIFESTS, CannotVerify
from pipe.secret import Mask, Secret
from pipe.settings import ImageRules, Verify

_LIMITS = Limits(connect=3.0, read=15.0, whole=30.0, body=8 << 20, tries=4, patience=20.0)
_TOKEN = re.compile(r"[\w.~+/-]{16,16384}={0,2}", re.ASCII)
"""The characters of RFC 6750; far shorter and longer than the tokens of any registry."""
_NO_TOKEN = (400, 401, 403, 404)
"""Statuses with which token services refuse a token."""
_ACCEPT = {"Accept": ", ".join([*MANIFESTS, "application/json"])}
_CHALLENGE = re.compile(r'\b(\w+)="([^"]*)"')
"""A parameter of a challenge. The boundary keeps the search for one linear."""


class OciClient:
    """Sends requests to one registry: without credentials first, then as it demands.

    `unreachable` holds the error of each host that cannot be connected to. All images of a run
    share it, so that the run waits for a host once.
    """

    def __init__(
        self,
        network: Network,
        mask: Mask,
        address: OciAddress,
        rules: ImageRules,
        unreachable: dict[str, Unreachable],
    ) -> None:
        self._network = network
        self._mask = mask
        self.address = address
        self._unreachable = unreachable
        self._user = rules.registry_username
        self._password = rules.registry_password
        self._required = rules.verify is Verify.ALWAYS or rules.pin_digest
        self._authorization = ""

    @cached_property
    def http(self) -> HttpClient:
        """Client for the registry's address; one on this machine may use plain http."""
        secure = self._connect("https")
        if self.address.local and not _responds(secure):
            return self._connect("http")
        return secure

    def request(self, method: str, path: str) -> Reply:
        """Send a request, again with credentials if the registry demands them."""
        reply = self._send_authorized(method, path)
        if reply.status == 401 and (challenge := reply.headers.get("WWW-Authenticate", "")):
            self._authorization = self._authorize(challenge)
            reply = self._send_authorized(method, path)
        return reply

    def request_elsewhere(self, url: str, method: str, path: str) -> Reply:
        """Send a request without credentials to a redirect's address, whose query may be signed."""
        self._mask.add(Secret(urlsplit(url).query))
        http = self._network.client(url, setting="IMAGE", limits=_LIMITS)
        return self._send(http, method, path, _ACCEPT)

    def denied(self, status: int) -> CannotVerify:
        """Return the error for a registry that does not let the user, or anonymous ones, in."""
        if self._user:
            return CannotVerify(
                f"{self.address.name} refuses {self.address.repository} to the user of "
                f"REGISTRY_USERNAME ({status})",
                "Check REGISTRY_USERNAME and REGISTRY_PASSWORD, and the user's right to pull.",
            )
        return CannotVerify(
            f"{self.address.name} does not show {self.address.repository} without a login "
            f"({status}): it is private, or does not exist",
            "Give REGISTRY_USERNAME and REGISTRY_PASSWORD if it is private.",
        )

    def _send_authorized(self, method: str, path: str) -> Reply:
        headers = dict(_ACCEPT)
        if self._authorization:
            headers["Authorization"] = self._authorization
        if error := self._unreachable.get(self.address.host):
            raise CannotVerify.because(error)
        return self._send(self.http, method, path, headers)

    def _send(self, http: HttpClient, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        """Send a request with retries; connecting is retried only if verification is required."""
        try:
            return http.repeatable(
                method,
                path,
                headers=headers,
                transient=oci_reply.is_temporary,
                must_connect=self._required,
            )
        except Unreachable as error:
            if not error.may_have_applied:
                self._unreachable[self.address.host] = error
            raise CannotVerify.because(error) from error

    def _connect(self, scheme: str) -> HttpClient:
        url = f"{scheme}://{self.address.host}"
        return self._network.client(url, setting="IMAGE", limits=_LIMITS)

    def _authorize(self, challenge: str) -> str:
        """Return the Authorization header that satisfies a registry's challenge."""
        if len(challenge) > LONGEST:
            raise CannotVerify(f"{self.address.name} demands a login in more than {LONGEST} bytes")
        scheme, _, parameters = challenge.partition(" ")
        if scheme.lower() == "bearer":
            return f"Bearer {self._fetch_token(dict(_CHALLENGE.findall(parameters))).reveal()}"
        if scheme.lower() == "basic" and self._user:
            return self._basic()
        raise CannotVerify(
            f"{self.address.name} requires a user and a password",
            "Give REGISTRY_USERNAME and REGISTRY_PASSWORD.",
        )

    def _fetch_token(self, challenge: Mapping[str, str]) -> Secret:
        realm = self._realm(challenge.get("realm", ""))
        query = {"scope": f"repository:{self.address.repository}:pull"}
        if "service" in challenge:
            query["service"] = challenge["service"]
        path = f"{realm.path.lstrip('/')}?{'&'.join(filter(None, [realm.query, urlencode(query)]))}"
        http = self._network.client(realm.geturl(), setting="IMAGE", limits=_LIMITS)
        headers = {"Authorization": self._basic()} if self._user else {}
        reply = self._send(http, "GET", path, headers)
        if reply.status in _NO_TOKEN:
            raise self.denied(reply.status)
        if not reply.ok:
            raise CannotVerify(f"{realm.netloc} returned status {reply.status} instead of a token")
        content = oci_reply.json_object(reply)
        token = content.get("token") or content.get("access_token")
        if not isinstance(token, str) or not token:
            raise CannotVerify(f"{realm.netloc} returned no token")
        # It gets masked, which takes minutes for a huge one, and hides what reads the same.
        name = f"{self.address.host}/{self.address.repository}"
        if not _TOKEN.fullmatch(token) or token in name:
            raise CannotVerify(f"{realm.netloc} returned a token that cannot be one")
        return self._mask.add(Secret(token))

    def _realm(self, address: str) -> SplitResult:
        """Return the address of the token service, which gets the password.

        Raises `CannotVerify` unless it uses TLS and is as public as the registry itself. A registry
        elsewhere must not choose which service inside this network gets a request.
        """
        try:
            realm = parse(address)
            host = realm.hostname or ""
            secure = realm.scheme == "https" or (self.address.local and host in LOCAL_HOSTS)
            if (
                secure
                and realm.username is None
                and (self.address.internal or not is_internal(host))
            ):
                return realm
        except ValueError:
            pass
        raise CannotVerify(
            f'{self.address.name} names "{one_line(address)}" as its token service; expected a '
            "public address with https://"
        )

    def _basic(self) -> str:
        pair = f"{self._user}:{self._password.reveal()}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def _responds(http: HttpClient) -> bool:
    try:
        http.once("GET", "v2/")
    except Unreachable:
        return False
    return True
