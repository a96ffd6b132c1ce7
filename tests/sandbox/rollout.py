"""Controllers: how a service's pods follow its template, as those of Kubernetes make them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.sandbox.pods import Pod

if TYPE_CHECKING:
    from tests.sandbox.service import Service


def reconcile(service: Service) -> None:
    """Take the next possible steps towards the desired pods."""
    service.unsettled = True
    if service.reconciling:
        # A pod changed while it was being created: the loop below runs once more.
        return
    service.reconciling = True
    # Keeping these accounts costs time where there are thousands of pods.
    is_asked = service.world.kubernetes.enabled
    if is_asked:
        service.workload.changing(service)
    controller = _controller(service)
    try:
        while service.unsettled:
            service.unsettled = False
            service.members = [pod for pod in service.members if not pod.gone]
            controller(service)
            if is_asked:
                service.workload.acted(service)
    finally:
        service.reconciling = False


def _controller(service: Service) -> Callable[[Service], None]:
    if service.daemonset:
        return _daemon_set
    return _stateful_set if service.statefulset else _deployment


def active(service: Service) -> list[Pod]:
    """Return the pods that a controller counts: neither leaving nor failed."""
    native = service.native
    return [pod for pod in service.members if not pod.leaving and (native or not pod.failed)]


# A Deployment


def _deployment(service: Service) -> None:
    before: dict[str, int] | None = None
    while before != service.shares:
        before = dict(service.shares)
        if service.wanted != service.scaled_to:
            _scale(service)
        if not service.paused:
            service.shares.setdefault(service.generation, 0)
            _share_out(service)
        _replica_sets(service)
    if service.native:
        _mark_next_to_go(service)


def _share_out(service: Service) -> None:
    if service.strategy.recreate:
        _recreate(service)
    else:
        _scale_up_new(service)
        _replica_sets(service)
        _scale_down_old(service)


def _recreate(service: Service) -> None:
    """End all previous pods, terminating ones included, before the first new one."""
    new = service.generation
    for name in service.shares:
        if name != new:
            service.shares[name] = 0
    _replica_sets(service)
    if all(pod.generation == new or pod.failed for pod in service.members):
        service.shares[new] = service.wanted


def _scale_up_new(service: Service) -> None:
    room = service.wanted + service.strategy.surge(service.wanted) - sum(service.shares.values())
    missing = service.wanted - service.shares[service.generation]
    service.shares[service.generation] += min(max(0, room), missing)


def _scale_down_old(service: Service) -> None:
    new, shares = service.generation, service.shares
    ready = dict.fromkeys(shares, 0)
    for pod in active(service):
        if pod.ready and pod.generation in ready:
            ready[pod.generation] += 1
    least = service.wanted - service.strategy.unavailable(service.wanted)
    surplus = sum(shares.values()) - least - (shares[new] - min(ready[new], shares[new]))
    for name in [name for name in shares if name != new]:
        broken = min(max(0, surplus), shares[name] - min(ready[name], shares[name]))
        shares[name] -= broken
        surplus -= broken
    spare = sum(ready.values()) - least
    for name in [name for name in shares if name != new]:
        taken = min(max(0, spare), shares[name])
        shares[name] -= taken
        spare -= taken


def _scale(service: Service) -> None:
    """Follow a new count: in the middle of a rollout each ReplicaSet gets its proportion."""
    before, service.scaled_to = service.scaled_to, service.wanted
    shares = service.shares
    held = [name for name, count in shares.items() if count]
    if not held:
        return
    if len(held) == 1:
        shares[held[0]] = service.wanted
        return
    most = before + service.strategy.surge(before)
    allowed = service.wanted + service.strategy.surge(service.wanted) if service.wanted else 0
    rest = allowed - sum(shares.values())
    order = sorted(held, key=lambda name: -shares[name])
    for name in order:
        # Half a pod is a whole one, as in Go.
        share = math.floor(shares[name] * allowed / most + 0.5) - shares[name]
        share = max(min(share, rest), 0) if rest > 0 else min(max(share, rest), 0)
        shares[name] += share
        rest -= share
    shares[order[0]] = max(0, shares[order[0]] + rest)


def _replica_sets(service: Service) -> None:
    """Create and delete pods until each ReplicaSet has as many as its share."""
    counted = active(service)
    for name, share in list(service.shares.items()):
        pods = [pod for pod in counted if pod.generation == name]
        if len(pods) > share:
            for pod in sorted(pods, key=_rank)[: len(pods) - share]:
                pod.leave()
        for _ in range(share - len(pods)):
            if service.refused_by_quota(name):
                break
            taken = {pod.ordinal for pod in active(service) if pod.generation == name}
            free = next(number for number in range(len(taken) + 1) if number not in taken)
            service.start_pod(free, name)


def _rank(pod: Pod) -> tuple[bool, bool, bool, float, int, float]:
    """Order pods as a ReplicaSet deletes them: first those whose loss matters least."""
    running = pod.step.phase == "Running"
    return (
        pod.step.scheduled,
        running,
        pod.ready,
        -pod.ready_since,
        -pod.step.restarts,
        -pod.born,
    )


def _mark_next_to_go(service: Service) -> None:
    """Mark the pod that leaves as soon as its successor is up, as native docker does."""
    pods = active(service)
    current = [pod for pod in pods if pod.generation == service.generation]
    old = [pod for pod in pods if pod.generation != service.generation]
    for pod in current:
        pod.awaiting = False
    waiting_for_successor = any(not pod.ready for pod in current)
    for position, pod in enumerate(old):
        pod.awaiting = waiting_for_successor and position == 0


# A StatefulSet and a DaemonSet


def _drop_failed(service: Service) -> None:
    """Delete pods that have failed, as both controllers do: the names and nodes are needed."""
    for pod in service.members:
        if pod.failed:
            pod.gone = True
    service.members = [pod for pod in service.members if not pod.gone]


def _stateful_set(service: Service) -> None:
    """Replace one pod at a time, from the highest number; wait for every pod to be ready."""
    _drop_failed(service)
    for pod in service.members:
        if pod.ordinal >= service.wanted:
            pod.leave()
    held = {pod.ordinal: pod for pod in service.members}
    for ordinal in range(service.wanted):
        if ordinal not in held:
            held[ordinal] = service.start_pod(ordinal, service.revision_of(ordinal))
            return
        # A broken pod is waited for, even when the template no longer is the one it was made from.
        if not held[ordinal].ready:
            return
    for ordinal in reversed(range(service.wanted)):
        if held[ordinal].generation != service.generation:
            held[ordinal].leave()
            return


def _daemon_set(service: Service) -> None:
    """Replace one pod at a time, node by node, and broken ones at once."""
    _drop_failed(service)
    for pod in service.members:
        if pod.ordinal >= service.wanted:
            pod.leave()
    held = {pod.ordinal for pod in service.members}
    for ordinal in range(service.wanted):
        if ordinal not in held:
            service.start_pod(ordinal)
    live = [pod for pod in service.members if not pod.leaving]
    outdated = [pod for pod in live if pod.generation != service.generation]
    for pod in [pod for pod in outdated if not pod.ready]:
        pod.leave()
        live.remove(pod)
        outdated.remove(pod)
    if outdated and len(live) == service.wanted and all(pod.ready for pod in live):
        outdated[0].leave()
