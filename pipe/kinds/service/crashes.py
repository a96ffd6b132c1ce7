"""Counting how often the containers of pods have ended, by whatever the portal shows of it.

Newer portals count restarts. On others, a container's ID shows them, or the pod's phase. A
container that is down now has ended once more than it was restarted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipe.kinds.service.pods import generation
from pipe.kinds.service.problems import is_down
from pipe.portal import Container, Phase, Pod

Seen = Mapping[tuple[str, str], int]
"""Restarts seen on portals that do not count them, by the names of pod and container."""


def shows_state(pods: Iterable[Pod]) -> bool:
    """Return whether pods show present states of containers, and not only the last termination."""
    return any(one.running or one.waiting for pod in pods for one in pod.containers)


def without_recreated(before: Mapping[str, int], pods: Sequence[Pod]) -> Mapping[str, int]:
    """Return the earlier restarts by pod name, without pods that were created anew since.

    The pods of a StatefulSet keep their names.
    """
    first = next(iter(pods), None)
    if first is None or generation(first):
        return before
    recreated = {pod.name for pod in pods if before.get(pod.name, 0) > pod.restarts}
    if not recreated:
        return before
    return {name: count for name, count in before.items() if name not in recreated}


def seen_restarts(seen: Seen, last: Sequence[Pod], pods: Sequence[Pod]) -> Seen:
    """Return the restarts seen so far, given the pods of the last look and of this one."""
    if any(one.restarts is not None for pod in pods[:1] for one in pod.containers):
        return seen
    before = {pod.name: pod for pod in last}
    counts = dict(seen)
    for pod in pods:
        known = before.get(pod.name)
        if known is None or pod.is_unchanged(known):
            continue
        for name in _restarted(known, pod):
            counts[pod.name, name] = counts.get((pod.name, name), 0) + 1
    return counts


def ends(
    pods: Iterable[Pod], before: Mapping[str, int], seen: Seen, *, shows_state: bool
) -> dict[str, int]:
    """Return how often the most ended container of each pod has ended, if it did."""
    names = {name for name, _ in seen}
    counted = {
        pod.name: _ends(pod, before.get(pod.name, 0), seen, shows_state=shows_state)
        for pod in pods
        if not pod.is_steady or (names and pod.name in names)
    }
    return {name: count for name, count in counted.items() if count}


def _ends(pod: Pod, before: int, seen: Seen, *, shows_state: bool) -> int:
    most = 0
    inits = len(pod.init_containers)
    for position, one in enumerate(pod.all_containers):
        if one.restarts is None:
            restarts = seen.get((pod.name, one.name), 0)
        else:
            restarts = max(0, one.restarts - before)
        # An init container that ended well is done.
        is_done = position < inits and one.exit_code == 0
        down = not is_done and is_down(one, shows_state=shows_state)
        most = max(most, restarts + down)
        if restarts and pod.phase is Phase.WAITING and not shows_state:
            most = max(most, restarts + 1)
    return max(most, seen.get((pod.name, ""), 0))


def _restarted(before: Pod, now: Pod) -> list[str]:
    """Return the containers that were restarted between two looks, as far as IDs show it."""
    both = list(zip(before.all_containers, now.all_containers, strict=False))
    if any(one.restarts is not None for _, one in both):
        return []
    restarted = [one.name for old, one in both if _has_other_id(old, one)]
    if restarted or any(one.docker_id for _, one in both):
        return restarted
    went_down = before.is_running and now.phase in (Phase.WAITING, Phase.FAILED)
    return [""] if went_down else []


def _has_other_id(before: Container, now: Container) -> bool:
    return bool(before.docker_id and now.docker_id and before.docker_id != now.docker_id)
