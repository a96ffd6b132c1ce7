"""Connections of urllib3 that begin with a request sent by `pipe.http.early`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection

from pipe.http.early import SentRequest

_sent: ContextVar[SentRequest | None] = ContextVar("sent", default=None)


@contextlib.contextmanager
def adopted(sent: SentRequest | None) -> Iterator[None]:
    """Let this thread's first connection to the same place begin with `sent`."""
    token = _sent.set(sent)
    try:
        yield
    finally:
        _sent.reset(token)
        if sent:
            sent.close()


class AdoptingConnection(HTTPConnection):
    """Adopts the socket of a request that was sent, and does not send the same bytes again."""

    _already_sent = b""

    def connect(self) -> None:
        """Connect as usual unless there is such a socket, which is connected and verified."""
        sent, is_tls = _sent.get(), isinstance(self, HTTPSConnection)
        sock = sent and not self.proxy and sent.take(self.host, self.port, is_tls=is_tls)
        if not sent or not sock:
            super().connect()
            return
        self.sock, self._already_sent = sock, sent.data
        self.is_verified = is_tls

    def send(self, data: Any) -> None:
        """Send what was not sent yet; another request than the expected one needs a connection."""
        if self.sock is None:
            self.connect()
        already_sent, self._already_sent = self._already_sent, b""
        if already_sent and already_sent != data:
            self.sock.close()
            self.sock = None
            self.connect()
        if already_sent != data:
            super().send(data)
