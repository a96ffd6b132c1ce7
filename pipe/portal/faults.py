"""Faults: problems the platform reports about resources."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipe.errors import PlatformError
from pipe.http.excerpt import one_line
from pipe.portal.fields import code, listed, nested, prose, text
from pipe.portal.scope import Scope

log = logging.getLogger(__name__)

# The platform's codes, 0 critical, 1 high, 2 error, 3 warning, 4 info, 5 fatal, 6 verbose,
# are not in order of severity.
_EXPIRY = re.compile(
    r"\b(?:user|api|access|permanent)\b[^\n]{0,60}\btokens?\b[^\n]{0,120}\bexpir", re.IGNORECASE
)
"""Administrators can have the portal report tokens that expire; no source shows its exact words."""
_SEVERITY = {5: 6, 0: 5, 1: 4, 2: 3, 3: 2, 4: 1, 6: 0}

_SECONDS = 10.0
_MOST_SKIPPED = 31


@dataclass(frozen=True, slots=True)
class Fault:
    """A reported problem; `resources` are all the names it is filed under.

    A higher `severity` is worse, unlike the platform's codes.
    """

    resources: frozenset[str]
    text: str
    severity: int

    @property
    def key(self) -> tuple[frozenset[str], str]:
        """The fault's identity across reads."""
        return self.resources, self.text


class Faults:
    """The portal's API for faults in one tenant."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def list(self) -> tuple[Fault, ...] | None:
        """Return every fault in the tenant, old ones included; None where they cannot be read.

        Faults only explain, so a failure to read them is logged once and fails nothing. It is
        expensive if the portal stays silent: the more reads have failed in a row, the more of the
        next ones are skipped.
        """
        memory = self._scope.memory.faults
        if memory.skipped < memory.to_skip:
            memory.skipped += 1
            return None
        calls = self._scope.calls.within(_SECONDS)
        try:
            reply = calls.read(self._scope.v2("GetFaultsByTenant"))
            faults = calls.decode(reply, "the list of faults", decode_faults)
        except PlatformError as error:
            if not memory.is_reported:
                memory.is_reported = True
                log.warning(
                    "%s Faults are only hints, so problems of pods are shown without them.", error
                )
            memory.to_skip = min(_MOST_SKIPPED, 2 * memory.to_skip + 1)
            memory.skipped = 0
            return None
        memory.to_skip = memory.skipped = 0
        report, memory.on_token_expiry = memory.on_token_expiry, None
        if report and (expiry := _token_expiry(faults)):
            report(expiry)
        return faults

    def token_expiry(self) -> str:
        """Return the platform's fault about a token that expires soon, empty without one.

        One quick request, which may fail unless the portal refuses the token.
        """
        calls = self._scope.calls.within(_SECONDS / 2, once=True)
        return _token_expiry(Faults(replace(self._scope, calls=calls)).list() or ())

    def on_token_expiry(self, report: Callable[[str], None]) -> None:
        """Report the same fault, without a request, when faults are read for the first time."""
        self._scope.memory.faults.on_token_expiry = report


def _token_expiry(faults: Iterable[Fault]) -> str:
    return next((one_line(one.text) for one in faults if _EXPIRY.search(one.text)), "")


def decode_faults(body: Any) -> tuple[Fault, ...]:
    """Decode `GetFaultsByTenant`, whose faults name a pod, or on Azure a service."""
    return tuple(_fault(item) for item in listed(body))


def _fault(item: Mapping[str, Any]) -> Fault:
    resource = nested(item, "Resource")
    names = (text(resource, "Name"), text(resource, "NativeId"), text(item, "ResourceName"))
    return Fault(
        resources=frozenset(name for name in names if name),
        text=prose(item, "Description"),
        severity=_SEVERITY.get(code(item, "Severity"), 0),
    )
