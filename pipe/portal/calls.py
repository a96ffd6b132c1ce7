"""What all calls share: the token, reading a reply, the error a refusal deserves, paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests

from pipe.errors import IdentityError, PlatformError, Refused
from pipe.http import HttpClient, Reply
from pipe.http.excerpt import excerpt
from pipe.portal import error_body
from pipe.portal.fields import Shapeless
from pipe.portal.model import Tenant
from pipe.secret import Secret

T = TypeVar("T")

_NO_NAMES = ("", ".", "..")
NO_ROUTE = (404, 405)
"""What a portal answers that is too old for a route."""


class BearerAuth(requests.auth.AuthBase):
    """Puts the token on requests to the portal, and only there."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        request.headers["Accept"] = "application/json"
        # A cache in between would show a rollout as it was.
        request.headers["Cache-Control"] = "no-cache"
        return request


class Calls:
    """What every call does with its reply."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http
        self.host = urlsplit(http.base).netloc

    def read(
        self,
        path: str,
        final: tuple[int, ...] = (),
        decode: Callable[[bytes], Any] = json.loads,
    ) -> Reply:
        """A GET, repeated while its failure may pass; 401 raises at once.

        The codes in `final` are answers in their own right and never repeated. `decode` reads
        a good body in place of the usual JSON.
        """

        def transient(reply: Reply) -> bool:
            return reply.status not in final and error_body.transient(reply)

        reply = self.http.repeatable("GET", path, transient=transient, decode=decode)
        if reply.status == 401:
            raise IdentityError.token_refused(self.host, error_body.message(reply))
        return reply

    def ask(self, path: str, body: object) -> Reply:
        """A POST that only reads, repeated like a GET."""
        reply = self.http.repeatable("POST", path, body, transient=error_body.transient)
        if reply.status == 401:
            raise IdentityError.token_refused(self.host, error_body.message(reply))
        return reply

    def decode(self, reply: Reply, what: str, read: Callable[[Any], T]) -> T:
        """The typed content of a reply; raises `Refused` when it says no or makes no sense."""
        self.check(reply, what)
        try:
            return read(reply.json())
        except Shapeless as expected:
            raise self._nonsense(what, f"expected {expected}", retryable=False) from None
        except ValueError:
            wrong = f'expected JSON, got "{excerpt(reply)}"'
            # Cut off, or a gateway's page: that is an outage, and may pass.
            raise self._nonsense(what, wrong, retryable=True) from None

    def check_done(self, reply: Reply, what: str) -> None:
        """The same for a call without result, whose good reply is empty or JSON.

        A page in its place is some gateway's: nobody knows then whether the portal acted.
        """
        self.check(reply, what)
        if error_body.transient(reply):
            wrong = f'expected nothing or JSON, got "{excerpt(reply)}"'
            raise self._nonsense(what, wrong, retryable=True)

    def check(self, reply: Reply, what: str) -> None:
        """Raise the error that a refusing reply deserves."""
        if reply.ok:
            return
        if reply.status == 401:
            raise IdentityError.token_refused(self.host, error_body.message(reply))
        raise self._refusal(reply, what)

    def _nonsense(self, what: str, wrong: str, *, retryable: bool) -> Refused:
        return Refused(
            f"The portal {self.host} answered nonsense for {what}: {wrong}.",
            "Check that DUPLO_HOST is the portal itself and nothing in between.",
            retryable=retryable,
        )

    def _refusal(self, reply: Reply, what: str) -> PlatformError:
        if 300 <= reply.status < 400:
            target = urlsplit(reply.headers.get("Location", "")).netloc or "another address"
            return Refused(
                f"{self.host} sends us on to {target} for {what}; the token does not go there.",
                "Give the portal's own address as DUPLO_HOST.",
                may_have_applied=True,
            )
        message = error_body.message(reply)
        because = f': "{message}"' if message else ""
        if reply.status == 403:
            return Refused(
                f"The token may not do this: {what} was refused{because}.",
                "Give the service account of DUPLO_TOKEN write access to the tenant.",
            )
        return Refused(
            f"The portal {self.host} answered {reply.status} for {what}{because}.",
            "Try again; if it stays, show this line to whoever runs the portal.",
            retryable=error_body.transient(reply),
        )


@dataclass(frozen=True)
class Scope:
    """The calls inside one tenant, and its paths in both generations of the API."""

    calls: Calls
    tenant: Tenant

    def v2(self, *parts: str) -> str:
        """The path of an older route."""
        return _path("subscriptions", self.tenant.id, *parts)

    def v3(self, *parts: str) -> str:
        """The path of a newer route."""
        return _path("v3/subscriptions", self.tenant.id, *parts)

    def send(self, method: str, path: str, body: object, what: str) -> Reply:
        """One write, sent once; raises what a refusal deserves, or `Unreachable`."""
        reply = self.calls.http.once(method, path, body)
        self.calls.check_done(reply, what)
        return reply


def _path(prefix: str, *parts: str) -> str:
    """Join parts to a path; what came from people or from the portal is escaped.

    Raises `Refused` for what no escaping keeps from meaning another folder.
    """
    if any(part in _NO_NAMES for part in parts):
        raise Refused("The portal gave an empty or dotted name for something that has a name.")
    try:
        return "/".join([prefix, *(quote(part, safe="") for part in parts)])
    except UnicodeEncodeError:
        # JSON may hold half a character, which no address can.
        raise Refused(
            "The portal gave a name that is no text for something that has one."
        ) from None
