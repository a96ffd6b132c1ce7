"""A service as a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipe.model import MAIN, Snapshot, Target
from pipe.portal import Service


@dataclass(frozen=True)
class ServiceDetail:
    """The part of a service's snapshot that other kinds lack.

    `restarts` are the restarts that its pods had had by then, by pod name; `faults` are the
    faults that existed by then, by key, None where they could not be read.
    """

    service: Service
    restarts: Mapping[str, int] = field(default_factory=dict)
    faults: frozenset[tuple[frozenset[str], str]] | None = frozenset()


def detail(snapshot: Snapshot) -> ServiceDetail:
    """Return the part of a service's snapshot that other kinds lack."""
    if not isinstance(snapshot.detail, ServiceDetail):
        raise TypeError(snapshot)
    return snapshot.detail


def images(service: Service) -> Mapping[str, str]:
    """Return a service's images by container name."""
    return {MAIN: service.image, **service.other_images}


def take_snapshot(target: Target, service: Service) -> Snapshot:
    """Return the snapshot of a service."""
    current = images(service)
    version = [
        service.deployed_at,
        service.restarted_at,
        service.allocation_tags,
        *current.values(),
    ]
    moments = (_moment(service.deployed_at), _moment(service.restarted_at))
    return Snapshot(
        target,
        current,
        "|".join(version),
        ServiceDetail(service),
        max((moment for moment in moments if moment), default=None),
        main=service.name,
        images_set_at=moments[0],
        images_set_by=service.deployed_by,
    )


def _moment(text: str) -> datetime | None:
    """Return a time as the portal writes it, in UTC unless it names a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
