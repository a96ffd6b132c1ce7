"""Deliver one message to an address that is a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from pipe.clock import Clock
from pipe.errors import Unreachable
from pipe.http import HttpClient
from pipe.notify.background import LIMITS, DeliveryFailed
from pipe.secret import cut

_MAX_RESPONSE = 100


def post(
    address: str, body: Mapping[str, Any], session: requests.Session, clock: Clock, setting: str
) -> None:
    """Post JSON once, to the address in the variable `setting`; raise `DeliveryFailed`."""
    parts = urlsplit(address)
    base = f"{parts.scheme}://{parts.netloc}"
    query = f"?{parts.query}" if parts.query else ""
    client = HttpClient(base, session, clock, setting=setting, limits=LIMITS)
    try:
        reply = client.once("POST", f"{parts.path[1:]}{query}", body)
    except Unreachable as error:
        raise DeliveryFailed(str(error)) from error
    if not reply.ok:
        response = cut(" ".join(reply.text().split()), _MAX_RESPONSE)
        raise DeliveryFailed(f'{parts.hostname} returned {reply.status}: "{response}"')
