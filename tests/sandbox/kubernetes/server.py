"""The API server over a real socket, with a certificate of the cluster's own authority."""

from __future__ import annotations

import ssl
from typing import Any

import trustme

from tests.sandbox.kubernetes.api import create_kubernetes_app
from tests.sandbox.kubernetes.authority import authority
from tests.sandbox.listener import Listener
from tests.sandbox.server import NAMES
from tests.sandbox.world import World


class KubernetesServer(Listener):
    """A running API server, whose address the portal hands out from then on.

    `signed_by` replaces the authority that the portal names.
    """

    def __init__(self, world: World, signed_by: trustme.CA | None = None, **options: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (signed_by or authority()).issue_cert(*NAMES).configure_cert(context)
        super().__init__(create_kubernetes_app(world), context, **options)
        world.kubernetes.enabled = True
        world.kubernetes.server = self.url
