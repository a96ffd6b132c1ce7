"""Limits on how long a request takes and how large its response is."""

from __future__ import annotations

from dataclasses import dataclass

from pipe.retry import RetryPolicy


@dataclass(frozen=True)
class Limits:
    """Limits of one request, in seconds, bytes and tries.

    `read` bounds the silence before and within a response, `whole` the entire response. Lists of a
    whole tenant can be slow: the portal's other clients allow 60 seconds. `patience` bounds all
    tries of one request together, so that timeouts do not add up.
    """

    connect: float = 10.0
    read: float = 60.0
    whole: float = 120.0
    body: int = 32 << 20
    tries: int = 5
    patience: float = 90.0
    longest_pause: float = 15.0

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often a request that changes nothing is repeated."""
        return RetryPolicy(self.patience, self.longest_pause, tries=self.tries)
