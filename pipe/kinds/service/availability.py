"""The verdict on one service by the status of its Deployment, StatefulSet or DaemonSet.

Kubernetes knows what the portal's view can only infer: readiness, the number of pods that are to
be there, and whether its controller has acted on the change.
"""

from __future__ import annotations

from collections import Counter

from pipe import image
from pipe.kinds.service.rollout import ServiceRollout
from pipe.kinds.service.snapshot import detail
from pipe.kubernetes import GAVE_UP, Workload
from pipe.portal import Phase, Pod
from pipe.rollout import Failed, Ready, Superseded, Verdict, Waiting
from pipe.secret import clause

_PREVENTED = "ReplicaFailure"
_PROGRESSING = "Progressing"
_CONDITIONS = {
    Phase.PENDING: "starting",
    Phase.RUNNING: "not ready",
    Phase.WAITING: "waiting",
    Phase.SCHEDULING_FAILED: "without a node",
    Phase.IMAGE_NOT_FOUND: "without an image",
}
_OTHER_CONDITION = "not running"


def progress(
    rollout: ServiceRollout, workload: Workload, stable_seconds: float, stuck: str
) -> Verdict:
    """Return how far it is: over once Kubernetes has called it available for `stable_seconds`.

    `stuck` is the problem of a pod that has lasted longest.
    """
    if rollout.arrived is None:
        what = "configuration" if rollout.change.sets else "image"
        return Waiting(f"Kubernetes still has the previous {what}")
    if workload.is_paused and not workload.is_available:
        return Waiting(f"the {workload.kind} is paused, so Kubernetes does not begin the rollout")
    if not workload.is_observed:
        return Waiting("Kubernetes has not begun the rollout yet", stuck)
    unready = [pod for pod in rollout.pods.new if pod.incarnation not in rollout.up_since]
    if rollout.available_since is None or unready:
        return Waiting(_missing(rollout, workload, unready), _prevented(workload) or stuck)
    if workload.wanted == 0:
        if rollout.pods.leaving and rollout.change.sets.replicas is not None:
            return Waiting(f"{_pods(rollout.pods.leaving)} still terminating")
        return Ready("it is stopped, so there are no pods to wait for")
    since = max([rollout.available_since, *rollout.up_since.values()])
    available = f"{_pods(workload.available)} available"
    if rollout.at - since < stable_seconds:
        missing = f"{available}; must stay so for {stable_seconds:g} s"
        return Waiting(missing, until=since + stable_seconds)
    lasting = f" for {stable_seconds:g} s" if stable_seconds else ""
    return Ready(f"{available}{lasting}, as Kubernetes reports")


def superseded(rollout: ServiceRollout, workload: Workload) -> Superseded | None:
    """Return the verdict once the template has other images than when the change arrived."""
    for container in rollout.change.images if rollout.arrived else ():
        now = workload.images.get(container, "")
        if rollout.arrived and not image.same(rollout.arrived.get(container, ""), now):
            return Superseded(now or "no image")
    return None


def gave_up(rollout: ServiceRollout, stuck: str) -> Failed | None:
    """Return the verdict once the Deployment's own deadline for progress has passed.

    A condition from before the change says nothing of it.
    """
    workload, before = rollout.workload, detail(rollout.change.before).workload
    if not (workload and rollout.was_set and rollout.arrived and workload.is_observed):
        return None
    now = workload.condition(_PROGRESSING)
    if now is None or (now.status, now.reason) != ("False", GAVE_UP):
        return None
    if before and now in before.conditions:
        return None
    pod = next((one for one in rollout.pods.new if one.incarnation not in rollout.up_since), None)
    reason = f"Kubernetes gave up ({GAVE_UP}): {clause(now.message)}"
    return Failed(f"{reason}; {stuck}" if stuck else reason, pod.name if pod else "")


def _prevented(workload: Workload) -> str:
    """Return why the controller cannot make pods, such as a quota that is used up."""
    condition = workload.condition(_PREVENTED)
    return condition.message if condition and condition.status == "True" else ""


def _missing(rollout: ServiceRollout, workload: Workload, unready: list[Pod]) -> str:
    """Return what is still waited for, in words."""
    ready = len(rollout.pods.new) - len(unready)
    conditions = Counter(_CONDITIONS.get(pod.phase, _OTHER_CONDITION) for pod in unready)
    parts = [f"{ready} of {workload.wanted} new pods ready"]
    parts += [f"{number} {condition}" for condition, number in sorted(conditions.items())]
    if previous := max(0, workload.total - workload.updated):
        parts.append(f"{_pods(previous)} of the previous version still running")
    elif workload.total > workload.wanted:
        parts.append(f"{_pods(workload.total - workload.wanted)} still to end")
    elif not unready and workload.available < workload.wanted <= ready:
        parts.append(f"{workload.available} available")
    return ", ".join(parts)


def _pods(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"
