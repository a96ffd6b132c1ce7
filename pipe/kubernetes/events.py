"""Events: what Kubernetes reported about an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipe.portal.fields import count, moment, nested, prose, text


@dataclass(frozen=True, slots=True)
class Event:
    """Something that Kubernetes reported about an object, `count` times."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    count: int
    warning: bool
    first: datetime | None
    last: datetime | None


def decode_event(item: Mapping[str, Any]) -> Event:
    """Decode an event; newer components count repetitions in a `series`."""
    subject, series = nested(item, "involvedObject"), nested(item, "series")
    first = moment(item, "firstTimestamp") or moment(item, "eventTime")
    last = moment(series, "lastObservedTime") or moment(item, "lastTimestamp") or first
    return Event(
        kind=text(subject, "kind"),
        name=text(subject, "name"),
        uid=text(subject, "uid"),
        reason=prose(item, "reason"),
        # A probe without output leaves the colon at the end.
        message=prose(item, "message").strip().removesuffix(":"),
        count=max(1, count(item, "count") or count(series, "count") or 1),
        warning=text(item, "type") == "Warning",
        first=first or last,
        last=last,
    )
