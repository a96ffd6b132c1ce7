"""A service as a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipe.configuration import ENVIRONMENT, REPLICAS, Present
from pipe.kubernetes import Workload
from pipe.model import MAIN, Snapshot, Target
from pipe.portal import Service
from pipe.portal.fields import parse_moment


@dataclass(frozen=True)
class ServiceDetail:
    """The part of a service's snapshot that other kinds lack.

    `restarts` are the restarts that its pods had had by then, by pod name; `faults` are the
    faults that existed by then, by key, None where they could not be read; `workload` is what
    Kubernetes showed by then, None where it was not asked.
    """

    service: Service
    restarts: Mapping[str, int] = field(default_factory=dict)
    faults: frozenset[tuple[frozenset[str], str]] | None = frozenset()
    workload: Workload | None = None


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
    moments = (parse_moment(service.deployed_at), parse_moment(service.restarted_at))
    return Snapshot(
        target,
        current,
        "|".join(version),
        ServiceDetail(service),
        max((moment for moment in moments if moment), default=None),
        main=service.name,
        images_set_at=moments[0],
        images_set_by=service.deployed_by,
        present=present(service),
    )


def present(service: Service) -> Present:
    """Return the environments of a service, and its number of replicas where one is configured."""
    problems = {}
    try:
        environments = service.environments()
    except ValueError as problem:
        environments = {}
        problems[ENVIRONMENT] = f"its {service.environment_key} cannot be edited: {problem}"
    if service.autoscaled:
        problems[REPLICAS] = "an autoscaler sets the number of its pods"
    elif service.one_pod_per_host:
        problems[REPLICAS] = "the hosts decide the number of its pods"
    return Present(environments, None if REPLICAS in problems else service.replicas, problems)
