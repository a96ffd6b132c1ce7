"""What the step's identity token says, read and checked before anybody is asked to accept it.

The signature is AWS's to verify. A claim is no secret, the token is.
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
"""How far this machine's clock may be ahead of the issuer's."""

_SUBJECT = re.compile(r"\{[^{}:]+\}(?::\{[^{}:]+\}){1,2}")
_ENVIRONMENT_CLAIMS = ("deploymentEnvironmentUuid", "deploymentEnvironment")
_LATEST = 253402300799
"""The last second that a date can be made of."""


@dataclass(frozen=True)
class Claims:
    """The claims that AWS looks at, and the environment's id, empty when there is none.

    `repository` and `environment` keep their braces.
    """

    issuer: str
    audiences: tuple[str, ...]
    subject: str
    expires: datetime
    repository: str
    environment: str

    @property
    def provider(self) -> str:
        """The issuer as IAM names it: without the scheme."""
        return self.issuer.removeprefix("https://")


def checked(token: Secret, now: datetime) -> Claims:
    """The claims of a token; raises `IdentityError` when it cannot be of any use.

    An expired one is not sent: STS would only say the same, later.
    """
    claims = read(token)
    if now > claims.expires + LEEWAY:
        raise expired(claims, now)
    return claims


def read(token: Secret) -> Claims:
    """The claims of a token; raises `IdentityError` when there is none or it is malformed."""
    if not token:
        raise IdentityError(
            "A role is to be assumed (AWS_OIDC_ROLE_ARN), but the step has no identity token: "
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
    """The error for a token that is too old."""
    age = now - claims.expires
    when = f"{claims.expires:%Y-%m-%d %H:%M:%S} UTC"
    ago = f", {age.total_seconds() / 60:.0f} min ago" if age > LEEWAY else ""
    return IdentityError(
        f"The step's identity token expired at {when}{ago}; expected one that is still valid. "
        "Bitbucket issues it when the step starts and never renews it.",
        "Put the deploy into a step of its own, or before the long part of this one. If the "
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
        raise _malformed("its middle part is no JSON in base64") from None
    if not isinstance(payload, dict):
        raise _malformed("its middle part is no JSON object")
    return payload


def _issuer(payload: Mapping[str, Any]) -> str:
    issuer = _text(payload, "iss")
    parts = urlsplit(issuer)
    if parts.scheme != "https" or not parts.netloc:
        raise _malformed(f'its issuer is "{issuer}", expected an address with https://')
    return issuer


def _audiences(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """One or several: Bitbucket sends a list since audiences can be chosen."""
    found = payload.get("aud")
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not listed or not all(_is_text(one) for one in listed):
        raise _malformed("it names no audience")
    return tuple(listed)


def _expiry(payload: Mapping[str, Any]) -> datetime:
    seconds = payload.get("exp")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise _malformed("it does not say when it expires")
    return datetime.fromtimestamp(min(max(0, seconds), _LATEST), UTC)


def _environment(payload: Mapping[str, Any]) -> str:
    """Sources disagree on the claim's name and on its braces."""
    for name in _ENVIRONMENT_CLAIMS:
        found = payload.get(name)
        if _is_text(found):
            return "{" + str(found).strip("{}") + "}"
    return ""


def _text(payload: Mapping[str, Any], name: str) -> str:
    found = payload.get(name)
    if not _is_text(found):
        raise _malformed(f'it has no claim "{name}"')
    return str(found)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _malformed(why: str) -> IdentityError:
    return IdentityError(
        f"BITBUCKET_STEP_OIDC_TOKEN holds no identity token of Bitbucket: {why}.",
        "Let Bitbucket set it (oidc: true on the step); do not write it under variables.",
    )
