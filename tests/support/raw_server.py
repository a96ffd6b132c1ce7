"""A server that sends bytes as they are, however broken they are as HTTP."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator


@contextlib.contextmanager
def raw_server(
    respond: Callable[[str], bytes | Iterable[bytes]], host: str = "127.0.0.1"
) -> Iterator[int]:
    """Serve on this machine; `respond` maps the head of a request to a response or its parts.

    Yields the port. Every response ends its connection.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n") and (line := self.rfile.readline()):
                head += line
            if head:
                response = respond(head.decode("latin-1"))
                with contextlib.suppress(OSError):
                    for part in [response] if isinstance(response, bytes) else response:
                        self.wfile.write(part)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
