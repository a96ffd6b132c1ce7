"""Rollouts: how a service's pods follow its template."""

from __future__ import annotations

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
    try:
        while service.unsettled:
            service.unsettled = False
            service.members = [pod for pod in service.members if not pod.gone]
            if service.statefulset or service.daemonset:
                _one_by_one(service)
            else:
                _with_surge(service)
    finally:
        service.reconciling = False


def _with_surge(service: Service) -> None:
    """Roll as a Deployment does: one pod more than desired, never one less."""
    live = [pod for pod in service.members if not pod.leaving]
    generation = service.generation
    current = [pod for pod in live if pod.generation == generation]
    old = [pod for pod in live if pod.generation != generation]
    for pod in [pod for pod in old if not pod.ready]:
        pod.leave()
        old.remove(pod)
    # Unready pods leave first when there are too many of the current template.
    for pod in sorted(current, key=lambda pod: pod.ready)[: max(0, len(current) - service.wanted)]:
        pod.leave()
        current.remove(pod)
    available = sum(pod.ready for pod in current + old)
    for pod in list(old):
        if available > service.wanted:
            pod.leave()
            old.remove(pod)
            available -= 1
    while len(current) < service.wanted and len(current + old) < service.wanted + 1:
        current.append(service.start_pod(_free_ordinal(current)))
    _mark_next_to_go(service, current, old)


def _free_ordinal(current: list[Pod]) -> int:
    taken = {pod.ordinal for pod in current}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def _mark_next_to_go(service: Service, current: list[Pod], old: list[Pod]) -> None:
    """Mark the pod that leaves as soon as its successor is up, as native docker does."""
    if not service.native:
        return
    for pod in current:
        pod.awaiting = False
    waiting_for_successor = any(not pod.ready for pod in current)
    for position, pod in enumerate(old):
        pod.awaiting = waiting_for_successor and position == 0


def _one_by_one(service: Service) -> None:
    """Roll as StatefulSets and DaemonSets do: a pod leaves before its successor starts."""
    for pod in service.members:
        if pod.ordinal >= service.wanted:
            pod.leave()
    held = {pod.ordinal for pod in service.members}
    for ordinal in range(service.wanted):
        if ordinal not in held:
            service.start_pod(ordinal)
    live = [pod for pod in service.members if not pod.leaving]
    generation = service.generation
    outdated = [pod for pod in live if pod.generation != generation]
    if len(live) < len(service.members) or not outdated:
        return
    broken = [pod for pod in outdated if not pod.ready]
    if broken:
        # A StatefulSet keeps waiting for its broken pod, even after the template is rolled back.
        if not (service.statefulset and service.world.statefulset_sticks):
            broken[-1].leave()
        return
    if all(pod.ready for pod in live):
        max(outdated, key=lambda pod: pod.ordinal).leave()
