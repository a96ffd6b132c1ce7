"""Probe an address until it responds as expected three times in a row.

The portal's token is never sent and certificates are verified. Redirects are followed on the same
host and to public addresses.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar

from pipe.clock import Clock, Deadline
from pipe.deploy_tests import redirects
from pipe.deploy_tests.model import DeployTestResult
from pipe.deploy_tests.pattern import CannotMatch, matches
from pipe.errors import PipeError
from pipe.http import HttpClient, Limits, Reply
from pipe.http.address import parse
from pipe.http.resolver import Resolve, resolve
from pipe.http.session import open_session
from pipe.secret import cut
from pipe.settings import Settings

log = logging.getLogger(__name__)

_NAME = "POST_DEPLOY_URL"
_IN_A_ROW = 3
_PAUSE = 1.0
_LOG_INTERVAL = 15.0
_MOST_REDIRECTS = 10
_REDIRECT_CODES = (301, 302, 303, 307, 308)
_LIMITS = Limits(connect=5.0, read=10.0, whole=20.0)
_SHORTEST_READ = 1.0
_LONGEST_MATCH = 5.0
_FIRST_BYTES = 1 << 16
_LINES = 5
_LONGEST_LINE = 300


@dataclass(frozen=True)
class Attempt:
    """The outcome of one attempt; `lines` are the first of the response body."""

    passed: bool
    message: str
    lines: tuple[str, ...] = ()


class Probe:
    """Probes `url`; `adapter` and `resolve` replace the network in tests."""

    def __init__(
        self,
        settings: Settings,
        url: str,
        clock: Clock,
        adapter: BaseAdapter | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._settings = settings
        self._url = url
        self._clock = clock
        self._adapter = adapter
        self._resolve = resolve

    def run(self) -> DeployTestResult:
        """Probe until it passes or time is up; the result describes the last response."""
        started = self._clock.monotonic()
        deadline = Deadline.after(self._clock, self._settings.tests.seconds)
        log.info("Probing %s for at most %g s.", self._url, self._settings.tests.seconds)
        passes, logged, logged_at = 0, "", started
        while True:
            attempt = self._attempt(deadline)
            passes = passes + 1 if attempt.passed else 0
            if attempt.message != logged or self._clock.monotonic() - logged_at >= _LOG_INTERVAL:
                logged, logged_at = attempt.message, self._clock.monotonic()
                log.info("[%3.0f s] %s: %s", logged_at - started, self._url, logged)
            if passes >= _IN_A_ROW:
                message = f"passed: {attempt.message}, {passes} times in a row"
                return self._result(attempt, started, message)
            if deadline.left() < _PAUSE:
                message = self._failure(attempt, passes)
                return self._result(attempt, started, message, passed=False)
            self._clock.sleep(_PAUSE)

    def _result(
        self, attempt: Attempt, started: float, message: str, *, passed: bool = True
    ) -> DeployTestResult:
        seconds = self._clock.monotonic() - started
        return DeployTestResult(_NAME, "probe", self._url, passed, seconds, message, attempt.lines)

    def _failure(self, attempt: Attempt, passes: int) -> str:
        limit = f"{self._settings.tests.seconds:g} s"
        if attempt.passed:
            return f"did not pass {_IN_A_ROW} times in a row within {limit}, only {passes}"
        return f"did not pass within {limit}; last response: {attempt.message}"

    def _attempt(self, deadline: Deadline) -> Attempt:
        """Send one request and follow its redirects."""
        url, cookies = self._url, RequestsCookieJar()
        for _ in range(_MOST_REDIRECTS):
            try:
                reply = self._get(url, cookies, deadline)
            except PipeError as error:
                return Attempt(passed=False, message=str(error))
            location = reply.headers.get("Location", "")
            if reply.status not in _REDIRECT_CODES or not location or self._expects_redirect():
                return self._judge(reply, url, deadline)
            try:
                url = parse(location, url).geturl()
                refusal = redirects.refusal(self._url, url, self._resolve)
            except ValueError:
                # An invalid address in a redirect is the server's fault, like a bad status.
                message = (
                    f"redirects to {cut(location, _LONGEST_LINE)}, which is not an http address"
                )
                return Attempt(passed=False, message=message)
            if refusal:
                return Attempt(False, f"redirects to {cut(url, _LONGEST_LINE)}, {refusal}")
        return Attempt(passed=False, message=f"redirects more than {_MOST_REDIRECTS} times")

    def _get(self, url: str, cookies: RequestsCookieJar, deadline: Deadline) -> Reply:
        settings, parts = self._settings, urlsplit(url)
        session = open_session(url, settings.proxies, settings.ca_cert, self._adapter)
        session.cookies = cookies
        left = max(_SHORTEST_READ, deadline.left())
        client = HttpClient(
            f"{parts.scheme}://{parts.netloc}",
            session,
            self._clock,
            setting=_NAME,
            limits=replace(
                _LIMITS,
                connect=min(_LIMITS.connect, left),
                read=min(_LIMITS.read, left),
                whole=min(_LIMITS.whole, left),
            ),
        )
        with session:
            query = f"?{parts.query}" if parts.query else ""
            return client.once("GET", f"{parts.path[1:]}{query}")

    def _judge(self, reply: Reply, url: str, deadline: Deadline) -> Attempt:
        # What another host answers is not shown: the application chose that host.
        lines = _first_lines(reply) if redirects.same_host(self._url, url) else ()
        where = "" if url == self._url else f" from {url}"
        if not self._accepts(reply.status):
            expected = ", ".join(
                f"{first}" if first == last else f"{first}-{last}"
                for first, last in self._settings.tests.status
            )
            return Attempt(False, f"status {reply.status}{where}, expected {expected}", lines)
        problem = self._compare(reply.body, deadline)
        if problem:
            return Attempt(False, f"status {reply.status}{where}, but the body {problem}", lines)
        return Attempt(True, f"status {reply.status}{where}", lines)

    def _compare(self, body: bytes, deadline: Deadline) -> str:
        """Return what is wrong with a body, as the rest of a sentence; empty if it matches."""
        pattern = self._settings.tests.body
        if pattern is None:
            return ""
        seconds = min(_LONGEST_MATCH, max(_SHORTEST_READ, deadline.left()))
        try:
            found = matches(pattern, body, seconds)
        except CannotMatch as reason:
            return str(reason)
        return "" if found else f'does not match "{pattern.pattern}"'

    def _expects_redirect(self) -> bool:
        """Return whether only redirects are accepted; then they are not followed."""
        return all(first >= 300 and last < 400 for first, last in self._settings.tests.status)

    def _accepts(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self._settings.tests.status)


def address(settings: Settings, own: str) -> str:
    """Return the address to probe; `own` completes a path. Empty if it cannot be completed."""
    url = settings.tests.url
    if not url.startswith("/"):
        return url
    return own and own.rstrip("/") + url


def _first_lines(reply: Reply) -> tuple[str, ...]:
    text = reply.body[:_FIRST_BYTES].decode("utf-8", "replace")
    if len(reply.body) > _FIRST_BYTES:
        text += "..."  # by which the mask finds half a secret
    lines = (line.strip() for line in text.split("\n"))
    return tuple(cut(line, _LONGEST_LINE) for line in lines if line)[:_LINES]
