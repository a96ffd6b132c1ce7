"""The portal of a benchmark, as the platform's: connections stay open, and pods come up unasked.

The sandbox's own listener closes the connection after each response, so that every request would
cost a TLS handshake. Its world catches up with the clock when it is asked, and renders what
changed: requests would take the longer the more happens, and tools would look the less often.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from tests.sandbox import World, create_app

_HOST = "127.0.0.1"
_TICK = 0.2
"""Seconds from one catching up with the clock to the next."""


@dataclass(frozen=True)
class Portal:
    """Where a world is served, and the certificate of the authority to trust."""

    world: World
    url: str
    ca_path: Path


@contextmanager
def serve(world: World, folder: Path) -> Iterator[Portal]:
    """Serve a world over TLS while it goes on; its certificates are in `folder`."""
    authority = trustme.CA()
    certificate = authority.issue_cert(_HOST)
    names = ca_path, key, chain = folder / "ca.pem", folder / "key.pem", folder / "chain.pem"
    blobs = authority.cert_pem, certificate.private_key_pem, certificate.cert_chain_pems[0]
    for name, blob in zip(names, blobs, strict=True):
        blob.write_to_path(name)
    server = Server((_HOST, 0), create_app(world))
    server.ssl_adapter = BuiltinSSLAdapter(chain, key)
    server.prepare()
    serving = threading.Thread(target=server.serve, daemon=True)
    serving.start()
    try:
        with _going_on(world):
            yield Portal(world, f"https://{_HOST}:{server.bind_addr[1]}", ca_path)
    finally:
        server.stop()
        serving.join()


@contextmanager
def _going_on(world: World) -> Iterator[None]:
    """Let the world catch up with the clock by itself."""
    ended = threading.Event()

    def catch_up() -> None:
        while not ended.wait(_TICK):
            with world.lock:
                world.advance()
                for service in world.services:
                    for pod in service.members:
                        pod.text()

    thread = threading.Thread(target=catch_up, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
