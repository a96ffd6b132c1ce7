"""Any web application behind a real socket, with or without TLS."""

from __future__ import annotations

import logging
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.sandbox.trouble import BROKEN

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

_LOOK_SECONDS = 0.1


class _Handler(WSGIRequestHandler):
    """Speaks HTTP/1.1 and keeps quiet; werkzeug closes the connection after each answer."""

    protocol_version = "HTTP/1.1"

    def connection_dropped(
        self, error: BaseException, environ: dict[str, Any] | None = None
    ) -> None:
        """There is nobody left to read another request from."""
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Whoever is served keeps a log of its own."""

    def log_error(self, *_: Any, **__: Any) -> None:
        """A client that turns away, or refuses the certificate, is part of the play."""


class Listener:
    """Serves `app` while it is entered; `url` is its address as this machine sees it."""

    def __init__(
        self,
        app: WsgiApp,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._closing = threading.Event()
        # Werkzeug greets the world through the root logger otherwise.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        wire = _wire(app, self._closing)
        self._server = make_server(host, port, wire, threaded=True, request_handler=_Handler)
        if tls:
            # The handshake is left to the thread that serves: one slow client must not hold up
            # all.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._server.ssl_context = tls
        self.host, self.port = shown(host), self._server.port
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


def shown(host: str) -> str:
    """The address by which this machine reaches whatever listens on `host`."""
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
    """Say nothing until the client gives up."""
    while not closing.is_set():
        readable, _, _ = select.select([connection.fileno()], [], [], _LOOK_SECONDS)
        if readable:
            return


def _reset(connection: socket.socket) -> None:
    """Break the connection off: with nothing to linger for, closing sends a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
