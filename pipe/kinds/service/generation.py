"""NotificationSettings the pods of the wanted version from the ones before, and counting how many it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipe import image
from pipe.model import MAIN, Change, Restart, Snapshot
from pipe.portal import Container, Phase, Pod, Service

_REPLICA_SET = "/ReplicaSet"
_GOING = (Phase.DELETE, Phase.DELETED)
_GONE = (Phase.DELETED, Phase.SUCCEEDED)


@dataclass(frozen=True)
class ServiceDetail:
    """What a service's snapshot keeps besides images: enough to tell old from new later.

    `restarts` are those that its pods had had by then, by the pods' names.
    """

    service: Service
    restarts: Mapping[str, int] = field(default_factory=dict)
    faults: frozenset[tuple[frozenset[str], str]] = frozenset()


def detail(snapshot: Snapshot) -> ServiceDetail:
    """The part of a service's snapshot that only this kind can read."""
    if not isinstance(snapshot.detail, ServiceDetail):
        raise TypeError(snapshot)
    return snapshot.detail


@dataclass(frozen=True)
class Generations:
    """A service's pods, told apart. Pods on their way out are in neither list."""

    new: tuple[Pod, ...]
    old: tuple[Pod, ...]


def split(change: Change, pods: Sequence[Pod], earlier: Generations | None = None) -> Generations:
    """Tell the pods that belong to `change` from the others.

    A pod that is in `earlier` as the very same object is what it was.
    """
    known_new = {id(pod) for pod in earlier.new} if earlier else set()
    known_old = {id(pod) for pod in earlier.old} if earlier else set()
    new: list[Pod] = []
    old: list[Pod] = []
    for pod in pods:
        if pod.desired in _GOING or pod.phase in _GONE:
            continue
        known = id(pod) in known_new or id(pod) in known_old
        mine = id(pod) in known_new if known else is_new(change, pod)
        (new if mine else old).append(pod)
    return Generations(tuple(new), tuple(old))


def is_new(change: Change, pod: Pod) -> bool:
    """Whether `pod` runs what `change` asks for, because of it.

    The image decides wherever it differs from the one before. A way back reuses the earlier
    ReplicaSet and its surviving pods, so a controller's name proves nothing there. For a
    restart the images are the same and only a pod that was not there before is new.
    """
    before = detail(change.before)
    checked = [
        image.same(wanted, seen)
        for container, wanted in change.wanted.items()
        if (seen := _shown_image(before.service.name, pod, container))
    ]
    if not all(checked):
        return False
    if isinstance(change, Restart) or not checked:
        return not identities(pod) & change.previous_pods
    return True


def owner(pod: Pod) -> str:
    """The service a pod belongs to; of a nameless pod its ReplicaSet's name tells."""
    if pod.owner or not pod.controller_kind.endswith(_REPLICA_SET):
        return pod.owner
    return pod.controller.rpartition("-")[0]


def by_owner(pods: Iterable[Pod]) -> Mapping[str, tuple[Pod, ...]]:
    """The pods of each service; a service without pods has an empty tuple."""
    found: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        found[pod.owner or owner(pod)].append(pod)
    return defaultdict(tuple, {name: tuple(own) for name, own in found.items()})


def needed(service: Service, active: int | None) -> tuple[int, bool]:
    """How many new pods it takes, and whether that number is exact.

    Where something else than the configured count rules (autoscaler, one pod per host), the
    portal's own count is right when it is there (`active`: the last one seen). Otherwise only
    a lower bound is known, and the rollout is over when nothing old is left as well.
    """
    if not service.autoscaled and not service.one_pod_per_host:
        return service.replicas, True
    least = 1 if service.min_replicas is None else service.min_replicas
    return (least, False) if active is None else (max(least, active), True)


def identities(pod: Pod) -> frozenset[str]:
    """What a pod of a later generation does not share with this one."""
    if pod.controller_kind.endswith(_REPLICA_SET):
        return frozenset({pod.controller})
    # A set's pods keep their names, and native docker has no controller: containers tell.
    ids = frozenset(container.docker_id for container in pod.containers if container.docker_id)
    return ids or frozenset({pod.name})


def _shown_image(service: str, pod: Pod, container: str) -> str:
    """The image a pod shows for a container, empty when it does not show it."""
    if container != MAIN:
        shown = (*pod.containers, *pod.init_containers)
        return next((entry.image for entry in shown if entry.name == container), "")
    named = [entry for entry in pod.containers if entry.name == service]
    return next((entry.image for entry in [*named, *pod.containers]), "")


def containers(pod: Pod) -> Iterator[Container]:
    """Every container of a pod, init ones first, as they start."""
    yield from pod.init_containers
    yield from pod.containers


def images(service: Service) -> Mapping[str, str]:
    """A service's images by container name."""
    return {MAIN: service.image, **service.other_images}
