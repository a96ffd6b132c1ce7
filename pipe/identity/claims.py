"""Claims of the step's identity token, checked before it is sent.

AWS verifies the signature. The token is a secret, its claims are not.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pipe.errors import IdentityError
from pipe.secret import Secret

LEEWAY = timedelta(seconds=60)
"""How far this machine's clock may be ahead of the issuer's clock."""

_SUBJECT = re.compile(r"\{[^{}:]+\}(?::\{[^{}:]+\}){1,2}")
_ENVIRONMENT_CLAIMS = ("deploymentEnvironmentUuid", "deploymentEnvironment")
_LATEST = 253402300799
"""The last timestamp that `datetime` can represent, at the end of the year 9999."""


@dataclass(frozen=True)
class Claims:
    """The claims that AWS evaluates, and the id of the environment, empty without one.

    `repository` and `environment` are UUIDs in braces.
    """

    issuer: str
    audiences: tuple[str, ...]
    subject: str
    expires: datetime
    repository: str
    environment: str

    @property
    def provider(self) -> str:
        """The issuer without its scheme, as IAM names the provider."""
        return self.issuer.removeprefix("https://")


def validate(token: Secret, now: datetime) -> Claims:
    """Return the claims of a token; raise `IdentityError` if STS would refuse it.

    An expired token is not sent: STS would return the same error, later.
    """
    claims = read(token)
    if now > claims.expires + LEEWAY:
        raise expired(claims, now)
    return claims


def read(token: Secret) -> Claims:
    """Return the claims of a token; raise `IdentityError` if it is missing or malformed."""
    if not token:
        raise IdentityError(
            "AWS_OIDC_ROLE_ARN names a role to assume, but the step has no identity token: "
            "BITBUCKET_STEP_OIDC_TOKEN is empty.",
            "Add   oidc: true   to the step (or   options: oidc: true   for all steps). In a "
            "local run remove AWS_OIDC_ROLE_ARN and give AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY.",
        )
    payload = _payload(token)
    subject = _text(payload, "sub")
    if not _SUBJECT.fullmatch(subject):
        raise _malformed(
            f'its subject is "{subject}", expected {{repository}}[:{{environment}}]:{{step}}'
        )
    parts = subject.split(":")
    return Claims(
        issuer=_issuer(payload),
        audiences=_audiences(payload),
        subject=subject,
        expires=_expiry(payload),
        repository=parts[0],
        environment=_environment(payload) or (parts[1] if len(parts) == 3 else ""),
    )


def expired(claims: Claims, now: datetime) -> IdentityError:
    """Return the error for an expired token."""
    age = now - claims.expires
    when = f"{claims.expires:%Y-%m-%d %H:%M:%S} UTC"
    ago = f", {age.total_seconds() / 60:.0f} min ago" if age > LEEWAY else ""
    return IdentityError(
        f"The step's identity token expired at {when}{ago}; expected one that is still valid. "
        "Bitbucket issues it when the step starts and never renews it.",
        "Deploy in a separate step, or before the long part of this one. If the "
        "time above is wrong, set this machine's clock.",
    )


def _payload(token: Secret) -> Mapping[str, Any]:
    parts = token.reveal().split(".")
    if len(parts) != 3:
        raise _malformed(f"it has {len(parts)} parts, expected three between dots")
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        payload = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise _malformed("its payload is not JSON in base64") from None
    if not isinstance(payload, dict):
        raise _malformed("its payload is not a JSON object")
    return payload


def _issuer(payload: Mapping[str, Any]) -> str:
    issuer = _text(payload, "iss")
    try:
        parts = urlsplit(issuer)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.netloc:
        raise _malformed(f'its issuer is "{issuer}", expected an address with https://')
    return issuer


def _audiences(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one or several: Bitbucket sends a list since audiences can be configured."""
    claim = payload.get("aud")
    audiences = [claim] if isinstance(claim, str) else claim
    if not isinstance(audiences, list) or not audiences or not all(map(_is_text, audiences)):
        raise _malformed('its claim "aud" is missing or not a list of texts')
    return tuple(audiences)


def _expiry(payload: Mapping[str, Any]) -> datetime:
    seconds = payload.get("exp")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise _malformed('its claim "exp" is missing or not a number')
    return datetime.fromtimestamp(min(max(0, seconds), _LATEST), UTC)


def _environment(payload: Mapping[str, Any]) -> str:
    """Accept both spellings: sources disagree on the claim's name and on the braces."""
    for name in _ENVIRONMENT_CLAIMS:
        claim = payload.get(name)
        if _is_text(claim):
            return "{" + str(claim).strip("{}") + "}"
    return ""


def _text(payload: Mapping[str, Any], name: str) -> str:
    claim = payload.get(name)
    if not _is_text(claim):
        raise _malformed(f'it has no claim "{name}"')
    return str(claim)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _malformed(reason: str) -> IdentityError:
    return IdentityError(
        f"BITBUCKET_STEP_OIDC_TOKEN is not an identity token from Bitbucket: {reason}.",
        "Let Bitbucket set it (oidc: true on the step); do not set it under variables.",
    )
