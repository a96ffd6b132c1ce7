"""Send calls to the portal, and turn their replies into values or errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pipe.clock import Deadline
from pipe.errors import IdentityError, PlatformError, Refused
from pipe.http import HttpClient, Reply, address
from pipe.http.excerpt import excerpt
from pipe.http.json_body import TooComplex, loads
from pipe.portal import error_body
from pipe.portal.fields import UnexpectedShape

T = TypeVar("T")

NO_ROUTE = (404, 405)
"""Statuses that mean the portal is too old to have the route."""
_SHORTEST_READ = 5.0


class Calls:
    """Calls to one portal; `variable` is the one that the token comes from.

    `refusal` explains why the token would be refused, as far as its end is known.
    """

    def __init__(self, http: HttpClient, variable: str = "DUPLO_TOKEN", refusal: str = "") -> None:
        self._http = http
        self._refusal_reason = refusal
        self._variable = variable
        self.host = urlsplit(http.base).netloc

    def until(self, deadline: Deadline) -> Calls:
        """Return calls for a loop that retries by itself: one try each, cut off at `deadline`."""
        left = max(_SHORTEST_READ, deadline.left())
        limits = self._http.limits
        # At most half of the time left, so that one silent reply does not use up all of it.
        read = min(limits.read, max(_SHORTEST_READ, left / 2))
        whole = min(limits.whole, max(2 * _SHORTEST_READ, left))
        limited = self._http.limited(replace(limits, tries=1, read=read, whole=whole))
        return Calls(limited, self._variable, self._refusal_reason)

    def quick(self) -> Calls:
        """Return calls for what the run can do without: one try each, of a few seconds."""
        limits = self._http.limits
        short = replace(
            limits, tries=1, connect=_SHORTEST_READ, read=_SHORTEST_READ, whole=2 * _SHORTEST_READ
        )
        return Calls(self._http.limited(short), self._variable, self._refusal_reason)

    def token_refused(self, reply: Reply) -> IdentityError:
        """Return the error for a reply that refuses the token."""
        reason = error_body.message(reply)
        # The end of the token does not explain status 403.
        life = self._refusal_reason if reply.status == 401 else ""
        return IdentityError.token_refused(self.host, self._variable, reason, life)

    def lacks_permission(self, what: str) -> Refused:
        """Return the error for a token that does not permit a change; `what` gives the reason."""
        return Refused(
            f"The token lacks permission: {what}.",
            f"Give the service account of {self._variable} write access to the tenant.",
        )

    def read(
        self,
        path: str,
        final: tuple[int, ...] = (),
        decode: Callable[[bytes], Any] = loads,
    ) -> Reply:
        """Send a GET, retried on transient failures; raise `IdentityError` on status 401.

        The statuses in `final` carry a meaning of their own and are not retried. `decode`
        replaces the usual JSON decoding of a successful body.
        """

        def transient(reply: Reply) -> bool:
            return reply.status not in final and error_body.transient(reply)

        reply = self._http.repeatable("GET", path, transient=transient, decode=decode)
        self._check_token(reply)
        return reply

    def query(self, path: str, body: object) -> Reply:
        """Send a POST that only reads, retried like a GET."""
        reply = self._http.repeatable("POST", path, body, transient=error_body.transient)
        self._check_token(reply)
        return reply

    def send(self, method: str, path: str, body: object) -> Reply:
        """Send a request once, and return its reply unchecked; raise `Unreachable`."""
        return self._http.once(method, path, body)

    def write(self, method: str, path: str, body: object, what: str) -> Reply:
        """Send a write once; raise the error its refusal deserves, or `Unreachable`."""
        reply = self.send(method, path, body)
        self.check_done(reply, what)
        return reply

    def decode(self, reply: Reply, what: str, read: Callable[[Any], T]) -> T:
        """Return the typed content of a reply; raise `Refused` for an error or a wrong shape."""
        self.check(reply, what)
        try:
            return read(reply.json())
        except UnexpectedShape as expected:
            raise self._unexpected(what, f"expected {expected}", retryable=False) from None
        except TooComplex as expected:
            raise self._unexpected(what, f"expected {expected}", retryable=True) from None
        except ValueError:
            problem = f'expected JSON, got "{excerpt(reply)}"'
            # Truncated JSON, or a gateway's page: an outage that may be over soon.
            raise self._unexpected(what, problem, retryable=True) from None

    def check_done(self, reply: Reply, what: str) -> None:
        """Check the reply to a call without a result: a success must be empty or JSON.

        Anything else comes from a gateway, and leaves open whether the portal acted.
        """
        self.check(reply, what)
        if error_body.transient(reply):
            problem = f'expected an empty body or JSON, got "{excerpt(reply)}"'
            raise self._unexpected(what, problem, retryable=True)

    def check(self, reply: Reply, what: str) -> None:
        """Raise the error that an unsuccessful reply deserves."""
        if reply.ok:
            return
        self._check_token(reply)
        raise self._refusal(reply, what)

    def _check_token(self, reply: Reply) -> None:
        if reply.status == 401:
            raise self.token_refused(reply)

    def _unexpected(self, what: str, problem: str, *, retryable: bool) -> Refused:
        return Refused(
            f"The portal {self.host} returned an unexpected response for {what}: {problem}.",
            "Check that DUPLO_HOST is the portal itself, with nothing in between.",
            retryable=retryable,
        )

    def _refusal(self, reply: Reply, what: str) -> PlatformError:
        if 300 <= reply.status < 400:
            target = address.target(reply.headers.get("Location", "")) or "another address"
            return Refused(
                f"{self.host} redirects to {target} for {what}; the token is not sent there.",
                "Set DUPLO_HOST to the portal's own address.",
                may_have_applied=True,
            )
        message = error_body.message(reply)
        because = f': "{message}"' if message else ""
        if reply.status == 403:
            return self.lacks_permission(f"{what} was refused{because}")
        return Refused(
            f"The portal {self.host} answered {reply.status} for {what}{because}.",
            "Run the step again; if the error persists, send this line to the portal's "
            "administrators.",
            retryable=error_body.transient(reply),
        )
