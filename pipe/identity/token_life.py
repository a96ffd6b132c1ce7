"""When a portal token ends, as far as it can be known: the portal does not report it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipe.http.json_body import loads
from pipe.secret import Secret

_NOTICE = timedelta(days=30)
_YEAR = timedelta(days=365)
"""The life of a permanent token of the portal."""
_LAST_TIMESTAMP = 253402300799
_LONGEST = 16384
_REMEDY = "Create a new token for the service account in the portal and store it in {}."


@dataclass(frozen=True)
class TokenEnd:
    """When a token ends: exactly if the token states it, else at the latest."""

    at: datetime
    exact: bool

    @property
    def shown(self) -> str:
        """The moment, for messages."""
        return f"{self.at:%Y-%m-%d %H:%M} UTC{'' if self.exact else ' at the latest'}"

    def warning(self, now: datetime, variable: str) -> str:
        """Return the warning from 30 days before the end, empty until then."""
        left = self.at - now
        if left > _NOTICE:
            return ""
        remedy = _REMEDY.format(variable)
        if left <= timedelta(0):
            return (
                f"The portal token from {variable} was due to expire on {self.shown}, and is still "
                f"accepted. {remedy}"
            )
        if left <= timedelta(days=1):
            return f"The portal token from {variable} expires within a day: {self.shown}. {remedy}"
        days = max(2, round(left / timedelta(days=1)))
        return f"The portal token from {variable} expires in {days} days: {self.shown}. {remedy}"

    def refusal(self, now: datetime) -> str:
        """Return the sentence that explains why the portal refused the token."""
        if now >= self.at:
            return f"It expired on {self.shown}."
        return (
            f"It is not due to expire before {self.at:%Y-%m-%d}, so it is wrong or was revoked."
            if self.exact
            else f"It may last until {self.at:%Y-%m-%d}: it is wrong, was revoked, or has expired "
            "early."
        )


def end_of(token: Secret, created: datetime | None = None) -> TokenEnd | None:
    """Return when a token ends, None if nothing shows it.

    `created` is when it was stored, which is not before it was created.
    """
    if stated := _stated_end(token):
        return TokenEnd(stated, exact=True)
    return TokenEnd(created.astimezone(UTC) + _YEAR, exact=False) if created else None


def _stated_end(token: Secret) -> datetime | None:
    """Return the claim `exp` of a token that is a JWT."""
    parts = token.reveal().split(".")
    if len(parts) != 3 or len(parts[1]) > _LONGEST:
        return None
    try:
        claims = loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    seconds = claims.get("exp") if isinstance(claims, dict) else None
    if type(seconds) is not int or not 0 < seconds <= _LAST_TIMESTAMP:
        return None
    return datetime.fromtimestamp(seconds, UTC)
