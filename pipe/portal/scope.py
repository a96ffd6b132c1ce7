"""What the API of every resource of a tenant is opened with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote

from pipe.clock import Deadline
from pipe.errors import Refused
from pipe.portal.calls import Calls
from pipe.portal.list_reader import ListReader
from pipe.portal.pace import GRACE
from pipe.portal.tenants import Tenant

T = TypeVar("T")

_INVALID_NAMES = ("", ".", "..")


@dataclass
class FaultReads:
    """What is known of reads that may fail: how many of the next ones to skip.

    `skipped` of them have been; `is_reported` is true once a failure was logged. `on_token_expiry`
    is called once, with a fault about a token that expires, if the next good read has one.
    """

    to_skip: int = 0
    skipped: int = 0
    is_reported: bool = False
    on_token_expiry: Callable[[str], None] | None = None


@dataclass(frozen=True)
class PortalMemory:
    """What one call learned about the portal and later calls use.

    `missing_routes` names routes that this portal is too old to have, `failed_changes` the services
    whose last change of an image ended with status 500, `faults` holds the reads of faults that
    failed.
    """

    missing_routes: set[str] = field(default_factory=set)
    failed_changes: set[str] = field(default_factory=set)
    faults: FaultReads = field(default_factory=FaultReads)
    _readers: dict[str, ListReader[Any]] = field(default_factory=dict)

    def list_reader(
        self, path: str, build: Callable[[dict[str, Any]], T | None], name: Callable[[T], str]
    ) -> ListReader[T]:
        """Return the reader for the list at `path`, which remembers the list it read last."""
        return self._readers.setdefault(path, ListReader(build, name))


@dataclass(frozen=True)
class Scope:
    """Calls to one tenant, with its paths in both generations of the API.

    v3 routes may be missing on older portals (404 with an empty body, 405, sometimes 500); v2
    routes exist everywhere. A refused token or missing permission (401, 403) never counts as a
    missing route: that would hide the cause.
    """

    calls: Calls
    tenant: Tenant
    memory: PortalMemory = field(default_factory=PortalMemory)

    def until(self, deadline: Deadline, grace: float = GRACE) -> Scope:
        """Return the same scope with the calls of `Calls.until`, sharing what was learned."""
        return replace(self, calls=self.calls.until(deadline, grace))

    def within(self, seconds: float) -> Scope:
        """Return the same scope with the calls of `Calls.within`."""
        return replace(self, calls=self.calls.within(seconds))

    def v2(self, *parts: str) -> str:
        """Return the path of an older route."""
        return _path("subscriptions", self.tenant.id, *parts)

    def v3(self, *parts: str) -> str:
        """Return the path of a newer route."""
        return _path("v3/subscriptions", self.tenant.id, *parts)


def _path(prefix: str, *parts: str) -> str:
    """Join parts into a path, escaping names that people or the portal chose.

    Raises `Refused` for names that would lead to another path even when escaped.
    """
    if any(part in _INVALID_NAMES for part in parts):
        raise Refused("The portal returned an empty or dotted name where a name was expected.")
    try:
        return "/".join([prefix, *(quote(part, safe="") for part in parts)])
    except UnicodeEncodeError:
        # JSON may contain an unpaired surrogate, a URL may not.
        raise Refused("The portal returned a name that is not valid Unicode.") from None
