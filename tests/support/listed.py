"""The portal's long lists, read as the pipe reads them: from bytes."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

from pipe.portal import Pod, Service, wire
from pipe.portal.items import ItemReader


def listed_pods(body: Any) -> tuple[Pod, ...]:
    """The pods that `GetPods` shows with this body."""
    return wire.without_jobs(ItemReader(wire.pod, attrgetter("name")).read(_bytes(body)))


def listed_services(body: Any) -> tuple[Service, ...]:
    """The services that `GetReplicationControllers` shows with this body."""
    return wire.with_names(ItemReader(wire.listed_service, attrgetter("name")).read(_bytes(body)))


def _bytes(body: Any) -> bytes:
    return json.dumps(body).encode()
