"""Asking an address until it answers as it should, three times in a row.

Never with the portal's token, over a verified connection, and after redirects like a browser.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar

from pipe.clock import Clock, Deadline
from pipe.deploy_tests.model import DeployTestResult
from pipe.errors import PipeError
from pipe.http import HttpClient, Limits, Reply
from pipe.http.session import open_session
from pipe.settings import Settings

log = logging.getLogger(__name__)

_NAME = "POST_DEPLOY_URL"
_IN_A_ROW = 3
_PAUSE = 1.0
_SIGN_OF_LIFE = 15.0
_MOST_HOPS = 10
_REDIRECTS = (301, 302, 303, 307, 308)
_LIMITS = Limits(connect=5.0, read=10.0, whole=20.0)
_SHORTEST_READ = 1.0
_LINES = 5
_LONGEST_LINE = 300


@dataclass(frozen=True)
class Answer:
    """What one try brought: `told` says it in a few words, `lines` is how its text begins."""

    good: bool
    message: str
    lines: tuple[str, ...] = ()


class Probe:
    """Asks `url`; `adapter` replaces the network in tests."""

    def __init__(
        self, settings: Settings, url: str, clock: Clock, adapter: BaseAdapter | None = None
    ) -> None:
        self._settings = settings
        self._url = url
        self._clock = clock
        self._adapter = adapter

    def run(self) -> DeployTestResult:
        """Ask until it holds or the time is up; the last answer is in the result."""
        started = self._clock.monotonic()
        deadline = Deadline.after(self._clock, self._settings.tests.seconds)
        log.info("Probing %s for at most %g s.", self._url, self._settings.tests.seconds)
        row, said, said_at = 0, "", started
        while True:
            answer = self._ask(deadline)
            row = row + 1 if answer.good else 0
            if answer.message != said or self._clock.monotonic() - said_at >= _SIGN_OF_LIFE:
                said, said_at = answer.message, self._clock.monotonic()
                log.info("[%3.0f s] %s: %s", said_at - started, self._url, said)
            if row >= _IN_A_ROW:
                return self._result(
                    answer, started, f"holds: {answer.message}, {row} times in a row"
                )
            if deadline.left() < _PAUSE:
                return self._result(answer, started, self._lacking(answer, row), passed=False)
            self._clock.sleep(_PAUSE)

    def _result(
        self, answer: Answer, started: float, told: str, *, passed: bool = True
    ) -> DeployTestResult:
        seconds = self._clock.monotonic() - started
        return DeployTestResult(_NAME, "probe", self._url, passed, seconds, told, answer.lines)

    def _lacking(self, answer: Answer, row: int) -> str:
        limit = f"{self._settings.tests.seconds:g} s"
        if answer.good:
            return f"did not hold {_IN_A_ROW} times in a row within {limit}, only {row} times"
        return f"did not hold within {limit}; the last answer: {answer.message}"

    def _ask(self, deadline: Deadline) -> Answer:
        """One try, redirects followed."""
        url, cookies = self._url, RequestsCookieJar()
        for _ in range(_MOST_HOPS):
            try:
                reply = self._get(url, cookies, deadline)
            except (PipeError, ValueError) as error:
                # Wrong addresses among redirects are the server's doing: an answer like others.
                return Answer(good=False, message=str(error))
            location = reply.headers.get("Location", "")
            if reply.status not in _REDIRECTS or not location or self._wants_redirect():
                return self._judge(reply, url)
            url = urljoin(url, location)
            if urlsplit(url).scheme not in ("http", "https"):
                return Answer(good=False, message=f"it sends us on to {url[:_LONGEST_LINE]}")
        return Answer(good=False, message=f"it sends us on more than {_MOST_HOPS} times")

    def _get(self, url: str, cookies: RequestsCookieJar, deadline: Deadline) -> Reply:
        settings, parts = self._settings, urlsplit(url)
        session = open_session(url, settings.proxies, settings.ca_cert, self._adapter)
        session.cookies = cookies
        read = min(_LIMITS.read, max(_SHORTEST_READ, deadline.left()))
        client = HttpClient(
            f"{parts.scheme}://{parts.netloc}",
            session,
            self._clock,
            setting=_NAME,
            limits=replace(_LIMITS, read=read),
        )
        with session:
            query = f"?{parts.query}" if parts.query else ""
            return client.once("GET", f"{parts.path[1:]}{query}")

    def _judge(self, reply: Reply, url: str) -> Answer:
        lines = _first_lines(reply)
        where = "" if url == self._url else f" from {url}"
        if not self._accepts(reply.status):
            wanted = ", ".join(
                f"{first}" if first == last else f"{first}-{last}"
                for first, last in self._settings.tests.status
            )
            return Answer(False, f"status {reply.status}{where}, expected {wanted}", lines)
        body = self._settings.tests.body
        if body and not body.search(reply.text()):
            told = f'status {reply.status}{where}, but nothing in it fits "{body.pattern}"'
            return Answer(False, told, lines)
        return Answer(True, f"status {reply.status}{where}", lines)

    def _wants_redirect(self) -> bool:
        """Whether redirects are all that is accepted: then one is the answer, not the way."""
        return all(first >= 300 and last < 400 for first, last in self._settings.tests.status)

    def _accepts(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self._settings.tests.status)


def address(settings: Settings, own: str) -> str:
    """The whole address to probe; `own` completes a path. Empty when it cannot be completed."""
    url = settings.tests.url
    if not url.startswith("/"):
        return url
    return own and own.rstrip("/") + url


def _first_lines(reply: Reply) -> tuple[str, ...]:
    lines = (line.strip() for line in reply.text()[: 1 << 16].splitlines())
    return tuple(line[:_LONGEST_LINE] for line in lines if line)[:_LINES]
