"""The portal over real sockets, with or without TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from tests.sandbox.app import create_app
from tests.sandbox.fault_injection import WsgiApp
from tests.sandbox.listener import Listener, reachable
from tests.sandbox.world import World

# Names by which clients, some of them in containers, reach this machine.
NAMES = ("localhost", "127.0.0.1", "::1", "host.docker.internal")


class Server(Listener):
    """A running portal; `with Server(world) as server: server.url`.

    `tls` is a context, or a folder for the certificate of an authority made for this server.
    """

    def __init__(
        self,
        world: World,
        tls: Path | str | ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        app: WsgiApp | None = None,
    ) -> None:
        self.world = world
        self.app = app or create_app(world)
        self.ca_path: Path | None = None
        if isinstance(tls, (Path, str)):
            self.ca_path = Path(tls) / "ca.pem"
            tls = _certified(self.ca_path, reachable(host))
        super().__init__(self.app, tls, host, port)


def _certified(ca_path: Path, host: str) -> ssl.SSLContext:
    ca_path.parent.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*dict.fromkeys([*NAMES, host])).configure_cert(context)
    return context
