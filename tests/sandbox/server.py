"""The portal over real sockets, with or without TLS."""

from __future__ import annotations

import logging
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.sandbox.app import create_app
from tests.sandbox.gate import BROKEN
from tests.sandbox.world import World

# Names under which a client may know this machine, a container among them.
NAMES = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
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
        """The world keeps its own log."""

    def log_error(self, *_: Any, **__: Any) -> None:
        """A client that turns away, or refuses the certificate, is part of the play."""


class Server:
    """A running portal; `with Server(world) as server: server.url`."""

    def __init__(
        self,
        world: World,
        tls: Path | str | ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        app: Flask | None = None,
    ) -> None:
        self.world = world
        self.app = app or create_app(world)
        self.ca_path: Path | None = None
        self._closing = threading.Event()
        # Werkzeug greets the world through the root logger otherwise.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        wire = _wire(self.app.wsgi_app, self._closing)
        self._server = make_server(host, port, wire, threaded=True, request_handler=_Handler)
        shown = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
        if isinstance(tls, ssl.SSLContext):
            self._wrap(tls)
        elif tls is not None:
            self._secure(Path(tls), shown)
        self.host, self.port = shown, self._server.port
        name = f"[{shown}]" if ":" in shown else shown
        self.url = f"{'https' if tls is not None else 'http'}://{name}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _secure(self, directory: Path, host: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        self.ca_path = directory / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*dict.fromkeys([*NAMES, host])).configure_cert(context)
        self._wrap(context)

    def _wrap(self, context: ssl.SSLContext) -> None:
        # The handshake is left to the thread that serves: one slow client must not hold up all.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server.ssl_context = context


def _wire(
    app: Callable[[dict[str, Any], Any], Iterable[bytes]], closing: threading.Event
) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
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
