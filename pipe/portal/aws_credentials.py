"""Temporary AWS credentials of a tenant."""

from __future__ import annotations

import re
from typing import Any

from pipe.clock import Clock
from pipe.errors import IdentityError, Refused
from pipe.hosts import AWS_REGION
from pipe.http import Reply
from pipe.identity.portal_keys import IssuedKeys, PortalKeys
from pipe.portal import error_body
from pipe.portal.calls import NO_ROUTE
from pipe.portal.client import TenantPortal
from pipe.portal.fields import count, text
from pipe.portal.scope import Scope
from pipe.secret import Mask, Secret
from pipe.settings import Keys

_WHAT = "the tenant's AWS credentials"
_OTHERWISE = "set AWS_OIDC_ROLE_ARN with oidc: true, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
_SECRET = re.compile(r"[\x21-\x7e]{16,8192}")
_REGION = re.compile(AWS_REGION)
_USUAL_SECONDS = 3600
_MOST_SECONDS = 43200
"""The longest session that AWS grants."""
_REFUSALS = (400, 403)


class AwsCredentials:
    """The portal's API for the tenant's role in AWS. Every reply is a secret: none is quoted."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def issue(self) -> IssuedKeys:
        """Return new credentials.

        Raises `IdentityError` if the portal issues none to this token, `PlatformError` for any
        other failure.
        """
        calls = self._scope.calls
        path = self._scope.v2("GetAwsConsoleTokenUrl")
        # 500 is how older portals answer for a tenant that is not in AWS: no reason to retry.
        reply = calls.read(path, final=(500,))
        if reply.status in _REFUSALS and not error_body.transient(reply):
            raise self._refused(reply)
        if reply.status in NO_ROUTE:
            raise IdentityError(
                f"The portal {calls.host} issues no AWS credentials for the tenant "
                f"{self._scope.tenant.name} (status {reply.status}).",
                f"If the tenant is in AWS, {_OTHERWISE}.",
            )
        calls.check(reply, _WHAT)
        try:
            return decode(reply.json())
        except ValueError as expected:
            raise Refused(
                f"The portal {calls.host} returned an unexpected response for {_WHAT}: expected "
                f"{expected if isinstance(expected, Unusable) else 'JSON'}.",
                f"Run the step again; if the error persists, {_OTHERWISE}.",
            ) from None

    def _refused(self, reply: Reply) -> IdentityError:
        message = error_body.message(reply)
        because = f': "{message}"' if message else ""
        remedy = f"Allow the service account AWS access to the tenant, or {_OTHERWISE}."
        if reply.status == 400:
            remedy = f"Check the permission sets of the service account, or {_OTHERWISE}."
        return IdentityError(
            f"The portal {self._scope.calls.host} refuses AWS credentials for the tenant "
            f"{self._scope.tenant.name} (status {reply.status}){because}.",
            remedy,
        )


def tenant_keys(portal: TenantPortal, clock: Clock, mask: Mask) -> PortalKeys:
    """Return the tenant's credentials, not requested yet."""
    return PortalKeys(AwsCredentials(portal.scope).issue, portal.tenant.name, clock, mask)


class Unusable(ValueError):
    """A reply without usable credentials; the text names what was expected."""


def decode(body: Any) -> IssuedKeys:
    """Decode `GetAwsConsoleTokenUrl`; raise `Unusable`, which quotes nothing of the body.

    A portal that does not state how long the credentials last means an hour.
    """
    if not isinstance(body, dict):
        raise Unusable("an object")
    key_id, secret = text(body, "AccessKeyId"), text(body, "SecretAccessKey")
    session = text(body, "SessionToken")
    for name, value, pattern in (
        ("AccessKeyId", key_id, _KEY_ID),
        ("SecretAccessKey", secret, _SECRET),
        ("SessionToken", session, _SECRET),
    ):
        if not pattern.fullmatch(value):
            raise Unusable(f"a valid {name}")
    region = text(body, "Region")
    return IssuedKeys(
        Keys(key_id, Secret(secret), Secret(session)),
        region if _REGION.fullmatch(region) else "",
        float(min(count(body, "Validity") or _USUAL_SECONDS, _MOST_SECONDS)),
    )
