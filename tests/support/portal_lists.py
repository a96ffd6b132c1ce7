"""Decode the portal's long lists as the pipe does: from bytes."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

from pipe.portal import Pod, Service
from pipe.portal.list_reader import ListReader
from pipe.portal.pods import decode_service_pod
from pipe.portal.service_body import decode_named


def decode_pods(body: Any) -> tuple[Pod, ...]:
    """Return the pods in a body of `GetPods`."""
    return ListReader(decode_service_pod, attrgetter("name")).read([_encode(body)])


def decode_services(body: Any) -> tuple[Service, ...]:
    """Return the services in a body of `GetReplicationControllers`."""
    return ListReader(decode_named, attrgetter("name")).read([_encode(body)])


def _encode(body: Any) -> bytes:
    return json.dumps(body).encode()
