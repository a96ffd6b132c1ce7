"""A limit on the time of a whole response, however the server spreads its bytes.

The timeout of a socket begins anew with every byte. Header lines, the lines between chunks and the
reply of a proxy are read inside the libraries, so the limit has to be where the bytes come in.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from pipe.clock import Deadline
from pipe.http.adoption import AdoptingConnection
from pipe.http.failures import ResponseTooSlow

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


_when_sent: ContextVar[Callable[[], None] | None] = ContextVar("when_sent", default=None)


@contextlib.contextmanager
def time_limit(deadline: Deadline) -> Iterator[None]:
    """Make responses to requests of this thread end at `deadline`, with `ResponseTooSlow`."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


@contextlib.contextmanager
def when_sent(action: Callable[[], None]) -> Iterator[None]:
    """Call `action` once, as soon as a request of this thread was sent and its response is awaited.

    It costs no time then, and before the request it would.
    """
    token = _when_sent.set(action)
    try:
        yield
    finally:
        _when_sent.reset(token)


class _TimedReader(io.RawIOBase):
    """Reads from a socket until the deadline; silence still ends at the socket's own timeout."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        # Keeps the socket open; reading from it directly takes less time.
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self._silence = sock.gettimeout()
        self._has_begun = False

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.left()
        if not left:
            raise ResponseTooSlow
        is_last = self._silence is None or left < self._silence
        if is_last:
            self._sock.settimeout(left)
        try:
            count = self._sock.recv_into(buffer)
        except TimeoutError:
            if is_last and self._has_begun:
                raise ResponseTooSlow from None
            raise
        else:
            self._has_begun = True
            return count
        finally:
            if is_last:
                # The pool uses the connection again.
                self._sock.settimeout(self._silence)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """What `http.client.HTTPResponse` needs of a socket."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock, self._deadline))


class _TimedResponse(http.client.HTTPResponse):
    """A response, or a proxy's reply to CONNECT, within the limit that applies."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        if action := _when_sent.get():
            _when_sent.set(None)
            action()
        deadline = _deadline.get()
        timed: Any = _TimedSocket(sock, deadline) if deadline else sock
        super().__init__(timed, *args, **kwargs)


class _TimedHttpConnection(AdoptingConnection):
    response_class = _TimedResponse


class _TimedHttpsConnection(AdoptingConnection, HTTPSConnection):
    response_class = _TimedResponse


class _TimedHttpPool(HTTPConnectionPool):
    ConnectionCls = _TimedHttpConnection


class _TimedHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHttpsConnection


POOLS = {"http": _TimedHttpPool, "https": _TimedHttpsPool}
"""The pools whose connections keep to `time_limit`, for a pool manager of urllib3."""
