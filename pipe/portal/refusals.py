"""The errors that the portal's unsuccessful and unexpected replies deserve."""

from __future__ import annotations

from dataclasses import dataclass

from pipe.errors import IdentityError, PlatformError, Refused
from pipe.http import Reply, address
from pipe.portal import error_body


@dataclass(frozen=True)
class Refusals:
    """Makes errors about the portal at `host`; `variable` is the one its token comes from.

    `life` is the sentence on when the token ends, empty if that is not known.
    """

    host: str
    variable: str
    life: str = ""

    def token(self, reply: Reply) -> IdentityError:
        """Return the error for a reply that refuses the token."""
        reason = error_body.message(reply)
        # The end of the token does not explain status 403.
        life = self.life if reply.status == 401 else ""
        return IdentityError.token_refused(self.host, self.variable, reason, life)

    def permission(self, what: str) -> Refused:
        """Return the error for a token that does not permit a change; `what` gives the reason."""
        return Refused(
            f"The token lacks permission: {what}.",
            f"Give the service account of {self.variable} write access to the tenant.",
        )

    def of(self, reply: Reply, what: str) -> PlatformError:
        """Return the error for an unsuccessful reply to a call; `what` names its purpose."""
        if 300 <= reply.status < 400:
            return self._redirected(what, reply)
        message = error_body.message(reply)
        because = f': "{message}"' if message else ""
        if reply.status == 403:
            return self.permission(f"{what} was refused{because}")
        return Refused(
            f"The portal {self.host} answered {reply.status} for {what}{because}.",
            "Run the step again; if the error persists, send this line to the portal's "
            "administrators.",
            retryable=error_body.transient(reply),
        )

    def unexpected(self, what: str, problem: str, *, retryable: bool) -> Refused:
        """Return the error for a reply that is not what the API promises."""
        return Refused(
            f"The portal {self.host} returned an unexpected response for {what}: {problem}.",
            "Check that DUPLO_HOST is the portal itself, with nothing in between.",
            retryable=retryable,
        )

    def _redirected(self, what: str, reply: Reply) -> Refused:
        target = address.target(reply.headers.get("Location", "")) or "another address"
        return Refused(
            f"{self.host} redirects to {target} for {what}; the token is not sent there.",
            "Set DUPLO_HOST to the portal's own address.",
            may_have_applied=True,
        )
