"""Temporary AWS credentials that the portal issues for a tenant."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pipe.clock import Clock
from pipe.errors import PipeError
from pipe.secret import Mask, Secret
from pipe.settings import Keys

log = logging.getLogger(__name__)

_MARGIN = 60.0
"""Credentials that end sooner than this, in seconds, are renewed before they are used."""


@dataclass(frozen=True)
class IssuedKeys:
    """Credentials as issued: `seconds` is how long they last, `region` empty if not given."""

    keys: Keys
    region: str
    seconds: float


class PortalKeys:
    """The tenant's credentials, requested when they are first needed and renewed near their end.

    `issue` requests them and raises `PipeError`. A refusal is final: it is not requested again.
    """

    def __init__(
        self, issue: Callable[[], IssuedKeys], tenant: str, clock: Clock, mask: Mask
    ) -> None:
        self._issue = issue
        self._tenant = tenant
        self._clock = clock
        self._mask = mask
        self._lock = threading.Lock()
        self._issued: IssuedKeys | None = None
        self._end = 0.0
        self._refusal: PipeError | None = None

    @property
    def issued(self) -> bool:
        """Whether the run has got credentials."""
        return self._issued is not None

    def current(self, lasting: float = 0.0) -> IssuedKeys:
        """Return credentials that last that many seconds, if the portal issues such.

        Raises the error of the request, also if it failed earlier in the run.
        """
        with self._lock:  # images are verified concurrently
            if self._refusal:
                raise self._refusal
            left = self._end - self._clock.monotonic()
            if self._issued is None or left < max(lasting, _MARGIN):
                self._request(left)
            assert self._issued is not None  # noqa: S101 - or an error was raised
            return self._issued

    def discard(self, keys: Keys | None) -> None:
        """Have credentials renewed that AWS calls expired, unless they were already."""
        with self._lock:
            if self._issued and self._issued.keys == keys:
                self._end = 0.0

    def _request(self, left: float) -> None:
        """Request credentials; if those of before are still valid, a failure is a warning."""
        asked = self._clock.monotonic()
        try:
            issued = self._issue()
        except PipeError as error:
            if self._issued is None:
                self._refusal = error
            if self._issued is None or left <= 0:
                raise
            log.warning("The tenant's AWS credentials were not renewed: %s", error.diagnosis)
            return
        keys = issued.keys
        for secret in (Secret(keys.access_key_id), keys.secret_access_key, keys.session_token):
            self._mask.add(secret)
        self._log(issued)
        self._issued, self._end = issued, asked + issued.seconds

    def _log(self, issued: IssuedKeys) -> None:
        what = "renewed" if self._issued else "from the portal"
        region = f", region {issued.region}" if issued.region else ""
        log.info(
            "AWS credentials of the tenant %s %s, valid for %.0f min%s",
            self._tenant,
            what,
            issued.seconds / 60,
            region,
        )
