"""HTTP requests to one host, with limits, retries and errors that name the cause."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import requests
import urllib3

from pipe.clock import Clock, Deadline
from pipe.errors import Unreachable
from pipe.http.body import Body, StreamDecoder
from pipe.http.json_body import loads
from pipe.http.limits import Limits
from pipe.http.time_limit import time_limit
from pipe.retry import Retryable

log = logging.getLogger(__name__)

_SECONDS = re.compile("[0-9]{1,9}")
"""Only these digits: `str.isdigit` accepts some that `float` does not."""


@dataclass(frozen=True)
class Reply:
    """A complete response, which took `seconds`; header names are case-insensitive.

    Of a body that was decoded as it arrived, `body` is only the beginning, and `decoded` returns
    the result or raises the error.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0
    decoded: Callable[[], Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return _is_success(self.status)

    @property
    def outage(self) -> bool:
        """Whether the status is a temporary one: overload, or a gateway's error."""
        return self.status in (429, 500, 502, 503, 504)

    def json(self) -> Any:
        """Return the decoded body; raise `ValueError` unless it is JSON within the limits."""
        return self._content

    @cached_property
    def _content(self) -> Any:
        """The content, decoded once although several callers read it."""
        try:
            return self.decoded() if self.decoded else loads(self.body)
        except (RecursionError, MemoryError) as error:
            raise ValueError(str(error)) from None

    def text(self) -> str:
        """Return the body as text; undecodable bytes are replaced."""
        return self.body.decode("utf-8", "replace")


ReplyPredicate = Callable[[Reply], bool]


class HttpClient:
    """Client for one base address. Never follows redirects, which would pass the token on.

    `setting` is the variable that holds the address, for the remedy in error messages.
    """

    def __init__(
        self,
        base: str,
        session: requests.Session,
        clock: Clock,
        *,
        setting: str,
        limits: Limits | None = None,
    ) -> None:
        self.base = base
        self._setting = setting
        self._session = session
        self.clock = clock
        self.limits = limits or Limits()

    def limited(self, limits: Limits) -> HttpClient:
        """Return a client with other limits that shares this one's connections."""
        return HttpClient(
            self.base, self._session, self.clock, setting=self._setting, limits=limits
        )

    def once(
        self,
        method: str,
        path: str,
        body: object = None,
        stream: StreamDecoder | None = None,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request without retries; raise `Unreachable` when no reply comes.

        `body` is sent as JSON, `data` unchanged. `stream` decodes the body of a success for
        `Reply.json` while it arrives.
        """
        started = self.clock.monotonic()
        deadline = Deadline(self.clock, started + self.limits.whole)
        url = f"{self.base}/{path}"
        options: dict[str, Any] = {"json": body, "data": data, "headers": headers}
        options |= {"timeout": (self.limits.connect, self.limits.read), "allow_redirects": False}
        try:
            with (
                time_limit(deadline),
                self._session.request(method, url, **options, stream=True) as response,
            ):
                status = response.status_code
                received = Body(response.raw, self.limits.body)
                decoded = received.decoded(stream) if stream and _is_success(status) else None
                content = received.beginning if decoded else received.whole()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # Loaded only where something went wrong; see pipe.loading.
            from pipe.http.diagnosis import explain  # noqa: PLC0415

            proxy = next(iter(self._session.proxies.values()), "")
            unreachable = explain(error, self.base, self._setting, self.limits, proxy)
            log.debug("%s %s: %s", method, path, unreachable.diagnosis)
            raise unreachable from error
        seconds = self.clock.monotonic() - started
        log.debug("%s %s: %s, %d bytes, %.3f s", method, path, status, received.size, seconds)
        return Reply(status, response.headers, content, seconds, decoded)

    def repeatable(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        transient: ReplyPredicate,
        stream: StreamDecoder | None = None,
        headers: Mapping[str, str] | None = None,
        must_connect: bool = True,
    ) -> Reply:
        """Send a request that changes nothing; repeat it after a temporary failure.

        Return the last reply, good or bad; raise `Unreachable` when there is none. `transient`
        returns whether a reply is a temporary failure. Without `must_connect`, a host that cannot
        be connected to is tried once.
        """

        def classify_error(error: Exception) -> Retryable | None:
            if not isinstance(error, Unreachable) or not error.retryable:
                return None
            connected = error.may_have_applied
            return Retryable(error.diagnosis) if connected or must_connect else None

        def classify_reply(reply: Reply) -> Retryable | None:
            if not transient(reply):
                return None
            what = "an incomplete response" if reply.ok else f"status {reply.status}"
            return Retryable(f"{self.base} returned {what}.", _retry_after(reply))

        return self.limits.retry_policy.call(
            self.clock,
            lambda: self.once(method, path, body, stream, headers=headers),
            classify_error,
            classify_reply,
        )


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _retry_after(reply: Reply) -> float | None:
    """Return the pause in seconds that the server requests, None without one."""
    seconds = reply.headers.get("Retry-After", "")
    return float(seconds) if _SECONDS.fullmatch(seconds) else None
