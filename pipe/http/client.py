"""Requests to one host that end in a reply or in an error that says what is wrong."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import requests
import urllib3

from pipe.clock import Clock
from pipe.errors import Unreachable
from pipe.http.diagnosis import explain
from pipe.http.limits import AnswerTooSlow, BodyTooLarge, Limits

log = logging.getLogger(__name__)

_CHUNK = 1 << 14


@dataclass(frozen=True)
class Reply:
    """A complete answer; its headers are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    decode: Callable[[bytes], Any] = json.loads

    @property
    def ok(self) -> bool:
        """Whether the request did what it asked for."""
        return 200 <= self.status < 300

    @property
    def outage(self) -> bool:
        """Whether its status is one of those that usually pass: overload, or a gateway's."""
        return self.status in (429, 500, 502, 503, 504)

    def json(self) -> Any:
        """The decoded body; raises `ValueError` when it is no JSON, too deep ones included."""
        return self._decoded

    @cached_property
    def _decoded(self) -> Any:
        """Decoded once: whoever judges a reply and whoever reads it both ask.

        A refusal is no list of whatever was asked for, so it gets the usual reading.
        """
        try:
            return self.decode(self.body) if self.ok else json.loads(self.body)
        except RecursionError as error:
            raise ValueError(str(error)) from None

    def text(self) -> str:
        """The body as text, whatever its encoding."""
        return self.body.decode("utf-8", "replace")


ReplyPredicate = Callable[[Reply], bool]


class HttpClient:
    """Talks to one base address. Never follows a redirect: the token must not travel.

    `setting` is the variable that gave the address, for messages that say what to correct.
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
        self._clock = clock
        self.limits = limits or Limits()

    def limited(self, limits: Limits) -> HttpClient:
        """The same connection under other limits."""
        return HttpClient(
            self.base, self._session, self._clock, setting=self._setting, limits=limits
        )

    def once(
        self,
        method: str,
        path: str,
        body: object = None,
        decode: Callable[[bytes], Any] = json.loads,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One try, for whatever must not be repeated blindly; raises `Unreachable`.

        `body` travels as JSON, `data` as it is; `decode` is what the reply's `json` makes of
        its body.
        """
        started = self._clock.monotonic()
        url = f"{self.base}/{path}"
        try:
            with self._session.request(
                method,
                url,
                json=body,
                data=data,
                headers=headers,
                timeout=(self.limits.connect, self.limits.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._content(response, started)
                status, headers = response.status_code, response.headers
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            proxy = self._session.proxies.get("https", "")
            trouble = explain(error, self.base, self._setting, self.limits, proxy)
            log.debug("%s %s: %s", method, path, trouble.diagnosis)
            raise trouble from error
        seconds = self._clock.monotonic() - started
        log.debug("%s %s: %s, %d bytes, %.3f s", method, path, status, len(content), seconds)
        return Reply(status, headers, content, seconds, decode)

    def repeatable(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        transient: ReplyPredicate,
        decode: Callable[[bytes], Any] = json.loads,
        headers: Mapping[str, str] | None = None,
        insists: bool = True,
    ) -> Reply:
        """A request that changes nothing: tried again while its failure may pass.

        `transient` judges replies. The last reply is handed out, good or bad; a last failure
        to get one is raised as `Unreachable`. Unless it `insists`, a host that cannot be
        reached at all is tried once.
        """
        until = self._clock.monotonic() + self.limits.patience
        for attempt in range(1, self.limits.tries + 1):
            last = attempt == self.limits.tries
            try:
                reply = self.once(method, path, body, decode, headers=headers)
            except Unreachable as trouble:
                pause = self._pause(attempt)
                hopeless = not trouble.retryable or not (trouble.may_have_applied or insists)
                if last or hopeless or self._clock.monotonic() + pause > until:
                    raise
                what = trouble.diagnosis
            else:
                pause = self._pause(attempt, reply)
                if last or not transient(reply) or self._clock.monotonic() + pause > until:
                    return reply
                what = f"{self.base} answered {reply.status}."
            log.warning("%s Trying again in %g s.", what, pause)
            self._clock.sleep(pause)
        raise AssertionError  # pragma: no cover - the last try always returns or raises

    def _content(self, response: requests.Response, started: float) -> bytes:
        # Hands its content out without a copy of it; lists of pods are many megabytes.
        received = io.BytesIO()
        # What has arrived by now, however little: a server that drips must not escape the limit.
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            if received.tell() + received.write(chunk) > self.limits.body:
                raise BodyTooLarge
            if self._clock.monotonic() - started > self.limits.whole:
                raise AnswerTooSlow
        return received.getvalue()

    def _pause(self, attempt: int, reply: Reply | None = None) -> float:
        asked = reply.headers.get("Retry-After", "") if reply else ""
        pause = float(asked) if asked.isdigit() else float(2 ** (attempt - 1))
        return min(pause, self.limits.longest_pause)
