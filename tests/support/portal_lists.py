"""Decode the portal's long lists as the pipe does: from bytes."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

from pipe.portal import Pod, Service
from pipe.portal.list_reader import ListReader
from pipe.portal.pods import decode_pod, without_jobs
from pipe.portal.services import decode_service, with_names


def decode_pods(body: Any) -> tuple[Pod, ...]:
    """Return the pods in a body of `GetPods`."""
    return without_jobs(ListReader(decode_pod, attrgetter("name")).read(_encode(body)))


def decode_services(body: Any) -> tuple[Service, ...]:
    """Return the services in a body of `GetReplicationControllers`."""
    return with_names(ListReader(decode_service, attrgetter("name")).read(_encode(body)))


def _encode(body: Any) -> bytes:
    return json.dumps(body).encode()
