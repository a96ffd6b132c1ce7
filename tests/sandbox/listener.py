"""A web application behind a real socket, with or without TLS."""

from __future__ import annotations

import logging
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterable
from typing import Any, Self

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.sandbox.fault_injection import BROKEN, WsgiApp

_POLL_SECONDS = 0.1


class _Handler(WSGIRequestHandler):
    """Speaks HTTP/1.1 and logs nothing; werkzeug closes the connection after each response."""

    protocol_version = "HTTP/1.1"

    def connection_dropped(
        self, error: BaseException, environ: dict[str, Any] | None = None
    ) -> None:
        """Close: no further request will come."""
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: applications keep their own log."""

    def log_error(self, *_: Any, **__: Any) -> None:
        """Log nothing: clients that hang up or refuse the certificate are part of the tests."""


class Listener:
    """Serves `app` as a context manager; `url` is its address on this machine."""

    def __init__(
        self,
        app: WsgiApp,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._closing = threading.Event()
        # Otherwise werkzeug prints a greeting through the root logger.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        wire = _wire(app, self._closing)
        self._server = make_server(host, port, wire, threaded=True, request_handler=_Handler)
        if tls:
            # The serving thread does the handshake: one slow client must not hold up the others.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._server.ssl_context = tls
        self.host, self.port = reachable(host), self._server.port
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.url = f"{'https' if tls else 'http'}://{name}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def reachable(host: str) -> str:
    """Return the address by which this machine reaches a server that listens on `host`."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host


def _wire(app: WsgiApp, closing: threading.Event) -> WsgiApp:
    """Act out broken connections on the socket itself."""

    def served(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = app(environ, start_response)
        if not environ.get(BROKEN):
            return answer
        kind = environ[BROKEN][0]
        connection: socket.socket = environ["werkzeug.socket"]
        if kind.startswith("silence"):
            _hold(connection, closing)
        _reset(connection)
        raise ConnectionResetError(kind)

    return served


def _hold(connection: socket.socket, closing: threading.Event) -> None:
    """Stay silent until the client gives up."""
    while not closing.is_set():
        readable, _, _ = select.select([connection.fileno()], [], [], _POLL_SECONDS)
        if readable:
            return


def _reset(connection: socket.socket) -> None:
    """Break the connection: with a linger time of zero, closing it sends a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
