"""A service's pods: which ones run the new version, and how many are needed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from pipe import image
from pipe.kinds.service.snapshot import detail
from pipe.model import MAIN, Change, Restart, Update
from pipe.portal import Phase, Pod, Service

_REPLICA_SET, _DAEMON_SET, _STATEFUL_SET = "/ReplicaSet", "/DaemonSet", "/StatefulSet"
_FLAGS_OF_SETS = ("ForceStatefulSet", "IsDaemonset")
_TERMINATING = (Phase.DELETE, Phase.DELETED)
_FAILED = (Phase.FAILED, Phase.EVICTED)

# Kubernetes generates names from these letters only. A Deployment's pods are called
# name-hash-suffix, a DaemonSet's name-suffix, a StatefulSet's name-number.
_LETTERS = "[bcdfghjklmnpqrstvwxz2456789]"
_OF_DEPLOYMENT = re.compile(rf"((.+)-{_LETTERS}{{5,10}})-{_LETTERS}{{5}}")
_TEMPLATE = re.compile(rf"(.+)-{_LETTERS}{{5,10}}")
_OF_STATEFUL_SET = re.compile(r".+-[0-9]{1,3}")
_OF_SET = re.compile(rf"(.+)-(?:{_LETTERS}{{5}}|[0-9]+)")


@dataclass(frozen=True)
class VersionedPods:
    """A service's pods by version, without those that are terminating.

    `failed` are objects of pods that failed or were evicted since the change, which their
    controller replaces: evidence, but not pods. `leaving` counts the terminating ones. `unsure`
    names pods whose version depends on what other pods show. `shows_controllers` is true once a
    pod named its controller.
    """

    new: tuple[Pod, ...] = ()
    previous: tuple[Pod, ...] = ()
    failed: tuple[Pod, ...] = ()
    leaving: int = 0
    unsure: frozenset[str] = frozenset()
    shows_controllers: bool = False

    @cached_property
    def new_by_name(self) -> Mapping[str, Pod]:
        """The pods of the new version by their names."""
        return {pod.name: pod for pod in self.new}


class _Version(Enum):
    NEW = "new"
    PREVIOUS = "previous"
    UNSURE = "unsure"


def by_version(change: Change, pods: Sequence[Pod], last: VersionedPods) -> VersionedPods:
    """Return the pods by whether they run what `change` sets; `last` is the look before."""
    sorted_pods: dict[_Version, list[Pod]] = {version: [] for version in _Version}
    new, previous = sorted_pods[_Version.NEW], sorted_pods[_Version.PREVIOUS]
    service, leaving = detail(change.before).service, 0
    shows_controllers = last.shows_controllers or any(pod.controller for pod in pods)
    failed = []
    as_before = _by_revision(last, new, previous)
    for pod in _controlled(pods) if shows_controllers and not service.native_docker else pods:
        if (own := as_before.get(pod.revision)) is not None:
            own.append(pod)
        elif not pod.is_running and is_terminating(pod):
            leaving += 1
        elif not pod.is_running and (has_failed(pod, service) or pod.phase is Phase.SUCCEEDED):
            failed.append(pod)
        else:
            sorted_pods[_version(change, pod, last)].append(pod)
    if unsure := sorted_pods[_Version.UNSURE]:
        shows = any(_runs(change, pod) for pod in new)
        (previous if shows else new).extend(unsure)
    were_there = detail(change.before).restarts
    return VersionedPods(
        tuple(new),
        tuple(previous),
        tuple(pod for pod in failed if pod.name not in were_there and pod.phase in _FAILED),
        leaving,
        frozenset(pod.name for pod in unsure),
        shows_controllers,
    )


def _by_revision(last: VersionedPods, new: list[Pod], previous: list[Pod]) -> dict[str, list[Pod]]:
    """Return the list that an unchanged pod goes to again, by its revision.

    The benchmark with 5,000 pods needs this: unchanged pods are not compared again.
    """
    return {
        pod.revision: own
        for known, own in ((last.new, new), (last.previous, previous))
        for pod in known
        if pod.revision and pod.name not in last.unsure
    }


def _controlled(pods: Sequence[Pod]) -> Sequence[Pod]:
    """Return the pods without strays, made by hand or detached: no rollout replaces those."""
    return [pod for pod in pods if pod.controller]


def seems_over(change: Change, pods: Sequence[Pod]) -> bool:
    """Return whether the pods from before are on their way out, and all others run steadily."""
    known = change.previous_pods
    return bool(known) and all(
        is_terminating(pod) or (pod.is_steady and not identities(pod) & known) for pod in pods
    )


def is_terminating(pod: Pod) -> bool:
    """Return whether a pod is on its way out, whatever else it shows."""
    return pod.desired in _TERMINATING or pod.phase in _TERMINATING


def has_failed(pod: Pod, service: Service) -> bool:
    """Return whether a pod has failed for good, so that its controller makes another one.

    Kubernetes keeps the objects of failed and evicted pods for hours (kubernetes#91672). Native
    Docker has no controllers: there a failed pod is all there is.
    """
    if pod.phase not in _FAILED or (service.native_docker and not pod.controller):
        return False
    return not pod.is_waiting


def runs_already(change: Change, pod: Pod) -> bool:
    """Return whether a pod runs what `change` sets before it was made, as in a rollback."""
    if isinstance(change, Restart):
        return False
    is_surviving = bool(identities(pod) & change.surviving_pods)
    return is_surviving or (not change.renews_pods and _runs(change, pod) is True)


def _version(change: Change, pod: Pod, last: VersionedPods) -> _Version:
    """Return a pod's version.

    A ReplicaSet from before the change runs the previous version, and also makes pods after it:
    when the service is scaled up meanwhile, or a node is drained. A ReplicaSet that was not there
    runs the new version, whatever its pods show as their image: that is the kubelet's own name for
    the content (kubernetes#51017), perhaps another tag, or an ID. Elsewhere the image decides, and
    only what cannot be compared is held against the pods from before.
    """
    known, is_update = change.previous_pods, not isinstance(change, Restart)
    if identities(pod) & known:
        return _Version.PREVIOUS
    runs = _runs(change, pod) if is_update else None
    if runs and not (known and change.renews_pods):
        return _Version.NEW
    if not known:
        return _version_by_name(change, pod) if runs is False else _Version.NEW
    if generation(pod):
        return _Version.NEW
    if not _is_fresh(change, pod, last.new_by_name.get(pod.name)):
        return _Version.PREVIOUS
    return _Version.UNSURE if runs is False else _Version.NEW


def _version_by_name(change: Change, pod: Pod) -> _Version:
    """Return the version of a pod that shows another image, with no pods known from before.

    The kubelet shows any tag that its node has for the same content. What the service has had
    before, or has had the tag of, is no such name; without a history, nothing is. Which of several
    ReplicaSets is the new one is left open; without them, pods with the wanted image decide.
    """
    service = detail(change.before).service
    for container, wanted in change.images.items():
        shown, before = (
            shown_image(service.name, pod, container),
            change.before.images.get(container, ""),
        )
        if _shows(wanted, shown, before) is not False:
            continue
        if image.same(before, shown):
            return _Version.PREVIOUS
        earlier = {image.version(old) for old in _previous_images(change, container)}
        if not earlier or image.version(shown) in earlier - {image.version(wanted)}:
            return _Version.PREVIOUS
    return _Version.NEW if generation(pod) else _Version.UNSURE


def _previous_images(change: Change, container: str) -> Iterator[str]:
    """Yield the other images that a container is known to have had."""
    rollback_to = change.rollback_to if isinstance(change, Update) else None
    for images in (*detail(change.before).service.history, change.before.images, rollback_to or {}):
        if container in images and not image.same(change.images[container], images[container]):
            yield images[container]


def _is_fresh(change: Change, pod: Pod, was_new: Pod | None) -> bool:
    """Return whether a pod with new containers was created, not only restarted.

    The pods of a StatefulSet keep their names, but their restarts are counted from zero again.
    """
    if was_new is not None and pod.restarts >= was_new.restarts:
        return True
    before = detail(change.before).restarts.get(pod.name)
    is_counted = any(container.restarts is not None for container in pod.containers)
    return before is None or not is_counted or pod.restarts <= before


def _runs(change: Change, pod: Pod) -> bool | None:
    """Return whether a pod shows the images that `change` sets, None if that is open.

    Only the changed containers count: another deployment may change the others meanwhile.
    """
    service = detail(change.before).service.name
    shown = [
        _shows(
            wanted, shown_image(service, pod, container), change.before.images.get(container, "")
        )
        for container, wanted in change.images.items()
    ]
    if False in shown:
        return False
    return True if True in shown else None


def _shows(wanted: str, shown: str, before: str) -> bool | None:
    """Return whether the image that a pod shows is the wanted one, None if that is open.

    A kubelet shows an image's ID or another tag, or leaves out the tag beside a digest.
    """
    if not shown or image.same(wanted, shown):
        return bool(shown) or None
    if image.same(before, shown):
        return False
    is_open = image.is_digest(shown) or bool(image.digest(wanted)) != bool(image.digest(shown))
    return None if is_open else False


def generation(pod: Pod) -> str:
    """Return what names the template a pod was made from: its ReplicaSet, empty if unknown."""
    if pod.controller:
        return pod.controller if pod.controller_kind.endswith(_REPLICA_SET) else ""
    # Azure does not report controllers.
    found = _OF_DEPLOYMENT.fullmatch(pod.name)
    return found[1] if found else ""


def template_of(name: str) -> str:
    """Return the service whose ReplicaSet may have this name, else an empty text."""
    found = _TEMPLATE.fullmatch(name)
    return found[1] if found else ""


def identities(pod: Pod) -> frozenset[str]:
    """Return identifiers that no pod of another version shares with this one."""
    if name := generation(pod):
        return frozenset({name})
    if pod.controller_kind.endswith(_DAEMON_SET):
        return frozenset({pod.name})
    # The pods of a StatefulSet keep their names, and native Docker has no controllers, but a
    # container always has an ID of its own.
    ids = frozenset(container.docker_id for container in pod.containers if container.docker_id)
    return ids or frozenset({pod.name})


def ends_before_it_starts(service: Service, pods: Iterable[Pod]) -> bool:
    """Return whether a pod ends before its successor starts, as in a StatefulSet or DaemonSet."""
    if any(service.flags.get(flag) for flag in _FLAGS_OF_SETS):
        return True
    return any(pod.controller_kind.endswith((_STATEFUL_SET, _DAEMON_SET)) for pod in pods)


def is_in_stateful_set(pod: Pod) -> bool:
    """Return whether a StatefulSet made the pod."""
    by_name = not pod.controller and _OF_STATEFUL_SET.fullmatch(pod.name)
    return pod.controller_kind.endswith(_STATEFUL_SET) or bool(by_name)


def owner(pod: Pod) -> str:
    """Return the service a pod belongs to; its controller or name shows it if nothing else does."""
    if pod.owner:
        return pod.owner
    if pod.controller_kind.endswith(_REPLICA_SET):
        return pod.controller.rpartition("-")[0]
    if pod.controller:
        return pod.controller
    if found := _OF_DEPLOYMENT.fullmatch(pod.name):
        return found[2]
    found = _OF_SET.fullmatch(pod.name)
    return found[1] if found else ""


def by_owner(pods: Iterable[Pod]) -> Mapping[str, tuple[Pod, ...]]:
    """Return the pods of each service, an empty tuple for a service without pods."""
    grouped: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        grouped[pod.owner or owner(pod)].append(pod)
    return defaultdict(tuple, {name: tuple(own) for name, own in grouped.items()})


def needed(service: Service, active: int | None) -> tuple[int, bool]:
    """Return how many new pods are needed, and whether that number is exact.

    Where the configured count does not apply (autoscaling, one pod per host), the portal's own
    count is used (`active`: the last one seen). If it reports none, only a lower bound is known.
    """
    if has_fixed_count(service):
        return service.replicas, True
    least = 1 if service.min_replicas is None else service.min_replicas
    return (least, False) if active is None else (max(least, active), True)


def has_fixed_count(service: Service) -> bool:
    """Return whether a service's configured count applies."""
    return not service.autoscaled and not service.one_pod_per_host


def shown_image(service: str, pod: Pod, container: str) -> str:
    """Return the image of a pod's container, empty if the portal does not show it."""
    if container != MAIN:
        entries = (*pod.containers, *pod.init_containers)
        return next((entry.image for entry in entries if entry.name == container), "")
    named = [entry for entry in pod.containers if entry.name == service]
    return next((entry.image for entry in [*named, *pod.containers]), "")
