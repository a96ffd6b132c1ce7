"""Temporary access to a tenant's namespace in Kubernetes."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipe.errors import PlatformError, Refused
from pipe.http import Reply, address
from pipe.identity.token_life import TokenEnd, end_of
from pipe.portal import error_body
from pipe.portal.calls import NO_ROUTE
from pipe.portal.fields import text
from pipe.portal.scope import Scope
from pipe.secret import Secret

_WHAT = "the access to Kubernetes"
_REFUSALS = (400, 403)
_SECONDS = 5.0
_TOKEN = re.compile(r"[\x21-\x7e]{8,16384}")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[\x20-\x7e\r\n]{1,200000}-----END CERTIFICATE-----")
_ALLOW = "Allow the service account access to Kubernetes in the tenant"


@dataclass(frozen=True)
class IssuedAccess:
    """Access as issued: `server` is an https address, `authority` its certificate authority (PEM).

    `authority` is empty where the usual authorities apply, as on Azure. `end` is when the token
    expires, None if it does not state that.
    """

    server: str
    authority: str
    token: Secret
    namespace: str
    end: TokenEnd | None = None

    @property
    def host(self) -> str:
        """Host and port of the API server, for messages."""
        return urlsplit(self.server).netloc


class KubernetesAccess:
    """The portal's API for access to Kubernetes. Every reply holds a secret: none is quoted."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def issue(self) -> IssuedAccess:
        """Return new access; raise `PlatformError` where the portal issues none."""
        calls = self._scope.calls.within(_SECONDS, once=True)
        # 500 is how older portals answer for a tenant that is not in Kubernetes.
        final = (*NO_ROUTE, 500)
        reply = calls.read(self._scope.v3("k8s", "jitAccess"), final=final)
        if reply.status in final:
            reply = calls.read(self._scope.v2("GetK8ClusterConfigByTenant"), final=final)
        if reply.status in final:
            raise PlatformError(
                f"The portal {calls.host} issues no access to Kubernetes for the tenant "
                f"{self._scope.tenant.name} (status {reply.status}).",
                f"{_ALLOW}, if the portal is new enough to issue it.",
            )
        if reply.status in _REFUSALS and not error_body.transient(reply):
            raise self._refused(reply)
        calls.check(reply, _WHAT)
        try:
            return decode(reply.json(), f"duploservices-{self._scope.tenant.name.lower()}")
        except ValueError as expected:
            raise Refused(
                f"The portal {calls.host} returned an unexpected response for {_WHAT}: expected "
                f"{expected if isinstance(expected, UnusableAccess) else 'JSON'}.",
                "Have the portal's administrators check the tenant's access to Kubernetes.",
            ) from None

    def _refused(self, reply: Reply) -> PlatformError:
        message = error_body.message(reply)
        because = f': "{message}"' if message else ""
        return PlatformError(
            f"The portal {self._scope.calls.host} refuses access to Kubernetes for the tenant "
            f"{self._scope.tenant.name} (status {reply.status}){because}.",
            f"{_ALLOW}, and check its permission sets.",
        )


class UnusableAccess(ValueError):
    """A reply without usable access; the text names what was expected."""


def decode(body: Any, usual_namespace: str) -> IssuedAccess:
    """Decode `k8s/jitAccess`; raise `UnusableAccess`, which quotes nothing of the body."""
    if not isinstance(body, dict):
        raise UnusableAccess("an object")
    token, namespace = text(body, "Token"), text(body, "DefaultNamespace") or usual_namespace
    if not _TOKEN.fullmatch(token):
        raise UnusableAccess("a valid Token")
    if not _NAMESPACE.fullmatch(namespace):
        raise UnusableAccess("a valid DefaultNamespace")
    secret = Secret(token)
    server, authority = _server(text(body, "ApiServer")), _authority(body)
    return IssuedAccess(server, authority, secret, namespace, end_of(secret))


def _server(written: str) -> str:
    """Return the address of an API server, which may have a path behind a gateway."""
    try:
        parts = address.parse(written.strip())
    except ValueError:
        raise UnusableAccess("an https address as ApiServer") from None
    if parts.scheme != "https" or "@" in parts.netloc or parts.query or parts.fragment:
        raise UnusableAccess("an https address as ApiServer")
    return f"https://{parts.netloc}{parts.path}".rstrip("/")


def _authority(body: dict[str, Any]) -> str:
    encoded = text(body, "CertificateAuthorityDataBase64").strip()
    if not encoded:
        return ""
    try:
        authority = base64.b64decode(encoded, validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        authority = ""
    if not _PEM.fullmatch(authority):
        raise UnusableAccess("a certificate as CertificateAuthorityDataBase64")
    return authority
