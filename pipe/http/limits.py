"""How long a request may take and how big its answer may be."""

from __future__ import annotations

from dataclasses import dataclass

import requests


@dataclass(frozen=True)
class Limits:
    """Seconds, bytes and tries for one request.

    `read` bounds the silence before and within an answer, `whole` all of it. Lists of a whole
    tenant can be slow: the portal's other clients allow 60 seconds. `patience` bounds all tries
    of one request together, so that silence is not multiplied.
    """

    connect: float = 10.0
    read: float = 60.0
    whole: float = 120.0
    body: int = 32 << 20
    tries: int = 5
    patience: float = 90.0
    longest_pause: float = 15.0


class BodyTooLarge(requests.RequestException):
    """An answer beyond the limit; a request error so that it is explained like the others."""


class AnswerTooSlow(requests.RequestException):
    """An answer that goes on for longer than the limit."""
