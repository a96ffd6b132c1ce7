"""What is true of a rollout, by the objects of Kubernetes alone: pure functions of one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.live.observer import Moment

Json = dict[str, Any]
Truth = Callable[[Moment], bool]

_NOT_STARTED = ("StartError", "ContainerCannotRun")


def available(images: Mapping[str, str], generation: int = 0) -> Truth:
    """Return whether Kubernetes calls a workload available in these images, by container.

    The images must have been set after `generation`, so that a restart differs from what was there.
    """

    def is_true(moment: Moment) -> bool:
        workload = moment.workload
        if workload is None or workload["metadata"]["generation"] <= generation:
            return False
        return is_set_to(workload, images) and is_complete(workload)

    return is_true


def ended(image: str, times: int) -> Truth:
    """Return whether some container of this image has ended this often."""

    def is_true(moment: Moment) -> bool:
        return any(_ends(status) >= times for status in _statuses(moment, image))

    return is_true


def waiting(image: str, *reasons: str) -> Truth:
    """Return whether some container of this image waits for one of these reasons."""

    def is_true(moment: Moment) -> bool:
        return any(_waiting(status) in reasons for status in _statuses(moment, image))

    return is_true


def set_to(images: Mapping[str, str]) -> Truth:
    """Return whether the workload is set to these images, whatever its pods do."""

    def is_true(moment: Moment) -> bool:
        return moment.workload is not None and is_set_to(moment.workload, images)

    return is_true


def is_running(moment: Moment) -> bool:
    """Return whether a container of some pod runs."""
    return any("running" in state for state in _states(moment))


def has_started(moment: Moment) -> bool:
    """Return whether a container of some pod runs or ran."""
    ended = [state["terminated"] for state in _states(moment) if "terminated" in state]
    return is_running(moment) or any(one.get("reason") not in _NOT_STARTED for one in ended)


def job_ended(*conditions: str) -> Truth:
    """Return whether a job has one of these conditions."""

    def is_true(moment: Moment) -> bool:
        status = (moment.workload or {}).get("status") or {}
        return any(
            one["type"] in conditions and one["status"] == "True"
            for one in status.get("conditions") or ()
        )

    return is_true


def pod_waits(*reasons: str) -> Truth:
    """Return whether some container waits for one of these reasons, whatever its image."""

    def is_true(moment: Moment) -> bool:
        return any(state.get("waiting", {}).get("reason") in reasons for state in _states(moment))

    return is_true


def first(moments: Sequence[Moment], truth: Truth) -> float | None:
    """Return when something was first true, None if it never was."""
    return next((moment.at for moment in moments if truth(moment)), None)


def is_set_to(workload: Json, images: Mapping[str, str]) -> bool:
    """Return whether a workload's containers have these images."""
    set_to = {entry["name"]: entry["image"] for entry in _templates(workload)}
    return all(set_to.get(name) == image for name, image in images.items())


def is_complete(workload: Json) -> bool:
    """Return whether every pod is of the wanted revision and available, and no other is left.

    The conditions are those of `kubectl rollout status`.
    """
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    if workload["kind"] == "DaemonSet":
        keys = ("updatedNumberScheduled", "numberAvailable", "currentNumberScheduled")
        wanted = status.get("desiredNumberScheduled", 0)
    elif workload["kind"] == "StatefulSet":
        keys = ("updatedReplicas", "readyReplicas", "replicas")
        wanted = workload["spec"]["replicas"]
    else:
        keys = ("updatedReplicas", "availableReplicas", "replicas")
        wanted = workload["spec"]["replicas"]
    return all(status.get(key, 0) == wanted for key in keys)


def describe(moment: Moment) -> str:
    """Return a moment as one line, for a person who looks for the cause of a failed case."""
    workload = moment.workload or {}
    counts = {
        key: value
        for key, value in (workload.get("status") or {}).items()
        if isinstance(value, int) and key != "observedGeneration"
    }
    return " | ".join([str(counts), *(_pod(pod) for pod in moment.pods)])


def _templates(workload: Json) -> Iterator[Json]:
    pod = workload["spec"]["template"]["spec"]
    yield from pod["containers"]
    yield from pod.get("initContainers") or ()


def _statuses(moment: Moment, image: str) -> Iterator[Json]:
    """Yield the status of every container that the pods' specification gives this image."""
    for pod in moment.pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        for section in ("container", "initContainer"):
            entries = pod["spec"].get(f"{section}s") or ()
            names = {one["name"] for one in entries if one["image"] == image}
            for status in pod["status"].get(f"{section}Statuses") or ():
                if status["name"] in names:
                    yield status


def _states(moment: Moment) -> Iterator[Json]:
    """Yield the present state of every main container."""
    for pod in moment.pods:
        for status in pod["status"].get("containerStatuses") or ():
            yield status.get("state") or {}


def _ends(status: Json) -> int:
    """Return how often a container has ended: once more than it was restarted, if it is down."""
    state, last = status.get("state") or {}, status.get("lastState") or {}
    is_down = "terminated" in state or ("waiting" in state and "terminated" in last)
    return int(status.get("restartCount", 0)) + is_down


def _waiting(status: Json) -> str:
    return str(((status.get("state") or {}).get("waiting") or {}).get("reason", ""))


def _pod(pod: Json) -> str:
    status = pod.get("status") or {}
    containers = [
        f"{one['name']}={next(iter(one.get('state') or {}), '')}"
        f"{'/' + _waiting(one) if _waiting(one) else ''}"
        f"#{one['restartCount']}{'+' if one['ready'] else ''}"
        for key in ("initContainerStatuses", "containerStatuses")
        for one in status.get(key) or ()
    ]
    leaving = " deleting" if pod["metadata"].get("deletionTimestamp") else ""
    name, phase = pod["metadata"]["name"], status.get("reason") or status.get("phase")
    image = pod["spec"]["containers"][0]["image"]
    return f"{name} {image} {phase}{leaving} {' '.join(containers)}"
