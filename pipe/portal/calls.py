"""Send calls to the portal, and turn their replies into values or errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pipe.clock import Deadline
from pipe.errors import Unreachable
from pipe.http import HttpClient, Reply
from pipe.http.body import StreamDecoder
from pipe.http.excerpt import excerpt
from pipe.http.json_body import TooComplex
from pipe.portal import error_body
from pipe.portal.fields import UnexpectedShape
from pipe.portal.pace import GRACE, Pace, TimeLeft
from pipe.portal.refusals import Refusals

T = TypeVar("T")

NO_ROUTE = (404, 405)
"""Statuses that mean the portal is too old to have the route."""


class Calls:
    """Calls to one portal; `variable` is the one that the token comes from.

    `time_left` limits the calls where it is given. `life` explains a refused token by its end.
    """

    def __init__(
        self,
        http: HttpClient,
        variable: str,
        pace: Pace | None = None,
        time_left: TimeLeft | None = None,
        *,
        life: str = "",
    ) -> None:
        self.host = urlsplit(http.base).netloc
        self.refusals = Refusals(self.host, variable, life)
        self._http = http
        self._pace = pace or Pace()
        self._time_left = time_left

    def until(self, deadline: Deadline, grace: float = GRACE) -> Calls:
        """Return calls for a loop that retries by itself: one try each.

        They end with `Unreachable` at the latest `grace` seconds after `deadline`.
        """
        return self._with(TimeLeft(deadline, grace, tries=1))

    def within(self, seconds: float, *, once: bool = False) -> Calls:
        """Return calls for what is not worth a long wait.

        They are retried within that time unless `once` is set or the caller retries by itself.
        """
        soon = Deadline.after(self._http.clock, max(seconds, self._pace.enough))
        if self._time_left is None:
            return self._with(TimeLeft(soon, 0.0, tries=1 if once else self._http.limits.tries))
        if self._time_left.seconds() < soon.left():
            return self
        return self.until(soon, grace=0.0)

    def _with(self, time_left: TimeLeft) -> Calls:
        variable, life = self.refusals.variable, self.refusals.life
        return Calls(self._http, variable, self._pace, time_left, life=life)

    def _limited(self) -> HttpClient:
        """Return the client for a call that begins now."""
        if self._time_left is None:
            return self._http
        if self._time_left.seconds() <= 0.0:
            raise Unreachable(
                f"The time limit passed before a request to {self.host} could be sent.",
                may_have_applied=False,
            )
        return self._http.limited(self._time_left.limits(self._http.limits, self._pace))

    def read(
        self,
        path: str,
        final: tuple[int, ...] = (),
        stream: StreamDecoder | None = None,
    ) -> Reply:
        """Send a GET, retried on transient failures; raise `IdentityError` on status 401.

        The statuses in `final` carry a meaning of their own and are not retried. `stream`
        decodes a successful body while it arrives.
        """

        def transient(reply: Reply) -> bool:
            return reply.status not in final and error_body.transient(reply)

        reply = self._limited().repeatable("GET", path, transient=transient, stream=stream)
        self._check_token(reply)
        if reply.ok:
            self._pace.slowest = max(self._pace.slowest, reply.seconds)
        return reply

    def query(self, path: str, body: object) -> Reply:
        """Send a POST that only reads, retried like a GET."""
        reply = self._limited().repeatable("POST", path, body, transient=error_body.transient)
        self._check_token(reply)
        return reply

    def send(self, method: str, path: str, body: object) -> Reply:
        """Send a request once, and return its reply unchecked; raise `Unreachable`."""
        return self._limited().once(method, path, body)

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
            raise self.refusals.unexpected(what, f"expected {expected}", retryable=False) from None
        except TooComplex as expected:
            raise self.refusals.unexpected(what, f"expected {expected}", retryable=True) from None
        except ValueError:
            problem = f'expected JSON, got "{excerpt(reply)}"'
            # Truncated JSON, or a gateway's page: an outage that may be over soon.
            raise self.refusals.unexpected(what, problem, retryable=True) from None

    def check_done(self, reply: Reply, what: str) -> None:
        """Check the reply to a call without a result: a success must be empty or JSON.

        Anything else comes from a gateway, and leaves open whether the portal acted.
        """
        self.check(reply, what)
        if error_body.transient(reply):
            problem = f'expected an empty body or JSON, got "{excerpt(reply)}"'
            raise self.refusals.unexpected(what, problem, retryable=True)

    def check(self, reply: Reply, what: str) -> None:
        """Raise the error that an unsuccessful reply deserves."""
        if reply.ok:
            return
        self._check_token(reply)
        raise self.refusals.of(reply, what)

    def _check_token(self, reply: Reply) -> None:
        if reply.status == 401:
            raise self.refusals.token(reply)
