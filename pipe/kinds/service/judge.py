"""The verdict on one service's rollout: a pure function of what was observed and of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pipe import image
from pipe.configuration import Configuration, is_in_place
from pipe.kinds.service import availability, problems, stability
from pipe.kinds.service.pods import (
    ends_before_it_starts,
    generation,
    has_fixed_count,
    is_in_stateful_set,
    needed,
    shown_image,
    template_of,
)
from pipe.kinds.service.rollout import ServiceRollout, is_set_to, probe_faults
from pipe.kinds.service.snapshot import detail, images, present
from pipe.model import Restart
from pipe.portal import Fault, Phase, Pod
from pipe.rollout import Failed, Ready, Superseded, Verdict, Waiting

_SCALED_DOWN_AFTER = 15.0
"""Seconds of stability after which fewer pods than configured are attributed to an autoscaler."""
_CALM = 5.0
"""Seconds for which a restarted container must have been up to be called that."""

_CONDITIONS = {
    Phase.UNKNOWN: "in an unknown state",
    Phase.RUNNING: "up",
    Phase.STOPPED: "stopped",
    Phase.PENDING: "starting",
    Phase.WAITING: "waiting",
    Phase.FAILED: "failed",
    Phase.SCHEDULING_FAILED: "without a node",
    Phase.IMAGE_NOT_FOUND: "without an image",
    Phase.EVICTED: "evicted",
}
_OTHER_CONDITION = "terminating"


def judge(rollout: ServiceRollout, stable_seconds: float, crash_limit: int) -> Verdict:
    """Return the verdict as of the last look, regardless of the time limit.

    A container that has ended `crash_limit` times is given up; 0 means never.
    """
    if bad := _superseded(rollout) or _failed(rollout, crash_limit):
        return bad
    if crash_limit and (given_up := availability.gave_up(rollout, _stuck(rollout))):
        return given_up
    verdict = _progress(rollout, stable_seconds)
    if isinstance(verdict, Waiting) and verdict.until:
        return replace(verdict, is_calm=stability.is_calm(rollout, crash_limit))
    return verdict


def is_complete(rollout: ServiceRollout) -> bool:
    """Return whether a service that nothing changes fully runs what it is set to.

    That a rollout is still under way shows in previous pods, and in new ones that are not up. What
    is no sign of it: objects of failed pods, pods that were restarted, and one that an autoscaler
    adds and that has no node yet.
    """
    if not rollout.was_set or rollout.pods.previous or _is_mixed(rollout):
        return False
    new, service = rollout.pods.new, rollout.service
    if not new:
        may_be_none = not has_fixed_count(service) and not rollout.active
        return service.replicas == 0 or (may_be_none and not rollout.pods.leaving)
    if _is_replacing(rollout):
        return False
    count, _ = needed(service, None)
    if rollout.active is not None and has_fixed_count(service):
        count = min(count, rollout.active)
    without_node = sum(pod.phase is Phase.SCHEDULING_FAILED for pod in new)
    return rollout.up + without_node == len(new) and rollout.up >= count


def _superseded(rollout: ServiceRollout) -> Superseded | None:
    current, change = images(rollout.service), rollout.change
    if is_set_to(change, rollout.service):
        if replaced := _replaced_image(rollout):
            return Superseded(replaced, replaced=True)
        return availability.superseded(rollout, rollout.workload) if rollout.workload else None
    for container, wanted in change.images.items():
        now, before = current.get(container, ""), change.before.images.get(container, "")
        is_outdated = image.same(before, now) and not rollout.was_set
        if not image.same(wanted, now) and not is_outdated:
            return Superseded(now or "no image")
    return Superseded("another environment") if _has_another_environment(rollout) else None


def _has_another_environment(rollout: ServiceRollout) -> bool:
    """Return whether the environment is neither what the change sets nor what it was before."""
    edits, before = rollout.change.sets.environment, rollout.change.before.present
    if not edits:
        return False
    now = present(rollout.service)
    is_ours = is_in_place(now, Configuration(edits))
    is_outdated = now.environment == before.environment and not rollout.was_set
    return not is_ours and not is_outdated


def _replaced_image(rollout: ServiceRollout) -> str:
    """Return the image another deployment set between the last look and our change, if any.

    The portal has no conditional change, and only its history shows this.
    """
    change = rollout.change
    if change.resumes or isinstance(change, Restart):
        return ""
    known = detail(change.before).service.history
    if not known:
        return ""
    added = list(rollout.service.history)
    for entry in known:
        if entry in added:
            added.remove(entry)
    for container, wanted in change.images.items():
        ours = (wanted, change.before.images.get(container, ""))
        for set_to in (entry[container] for entry in added if container in entry):
            if not any(image.same(own, set_to) for own in ours):
                return set_to
    return ""


def _failed(rollout: ServiceRollout, crash_limit: int) -> Failed | None:
    final = [
        (one.since, pod, one)
        for pod, one in rollout.problems.items()
        if one.is_final or 0 < crash_limit <= one.problem.ends
    ]
    if not final:
        return None
    _, pod, observed = min(final, key=lambda entry: entry[:2])
    return Failed(f"pod {pod} {observed.problem}", pod)


def _progress(rollout: ServiceRollout, stable_seconds: float) -> Verdict:
    """Return how far it is: over once no previous pod is left, and enough new ones are up.

    Phase Running says nothing of readiness, but Kubernetes removes the last previous pod of a
    rolling update only once enough new ones are ready. The pods of a StatefulSet or DaemonSet end
    before their successors start.
    """
    if not rollout.was_set:
        what = "configuration" if rollout.change.sets else "image"
        return Waiting(f"the portal still shows the previous {what}")
    if rollout.workload:
        stuck = _stuck(rollout)
        return availability.progress(rollout, rollout.workload, stable_seconds, stuck)
    new, previous = rollout.pods.new, rollout.pods.previous
    if not new and not previous:
        leaving = rollout.pods.leaving
        if leaving and rollout.change.sets.replicas is not None:
            return Waiting(f"{_pods(leaving)} still terminating")
        return _without_pods(rollout)
    count, exact = needed(rollout.service, rollout.active)
    all_up = 0 < rollout.up == len(new)
    wait, enough = stability.seconds(rollout, stable_seconds), rollout.up >= count
    if all_up and not enough and _is_scaled_down(rollout):
        enough, wait = True, max(wait, _SCALED_DOWN_AFTER)
    if previous or not (all_up and enough) or _is_open(rollout, count):
        return Waiting(_missing(rollout, count, exact=exact), _stuck(rollout))
    # Whether new pods are ready shows in the last previous one leaving.
    since = max([*rollout.up_since.values(), rollout.alone_since or 0.0])
    pods_up = f"{_pods(rollout.up)} up"
    if rollout.at - since < wait:
        missing = f"{pods_up}; must stay up for {wait:g} s"
        return Waiting(missing, stability.last_crash(rollout), until=since + wait)
    return Ready(f"{pods_up}{f' for {wait:g} s' if wait else ''}, as the portal shows")


def _is_open(rollout: ServiceRollout, count: int) -> bool:
    """Return whether pods are still to come or to go although all are up."""
    return _is_replacing(rollout) or _is_mixed(rollout) or _has_surplus(rollout, count)


def _is_replacing(rollout: ServiceRollout) -> bool:
    """Return whether the successor of a pod is still to come, as in a set."""
    return rollout.pods.leaving > 0 and ends_before_it_starts(rollout.service, rollout.pods.new)


def _has_surplus(rollout: ServiceRollout, count: int) -> bool:
    """Return whether pods are still to go after the change set a smaller number of them."""
    is_changed = rollout.change.sets.replicas is not None
    return is_changed and has_fixed_count(rollout.service) and len(rollout.pods.new) > count


def _without_pods(rollout: ServiceRollout) -> Verdict:
    """Return the verdict while no pod is listed that is neither terminating nor failed.

    The strategy Recreate ends all previous pods before it makes new ones.
    """
    service, is_fixed = rollout.service, has_fixed_count(rollout.service)
    count, exact = needed(service, rollout.active)
    if service.replicas == 0 and (is_fixed or not rollout.had_pods):
        return Ready("it is stopped, so there are no pods to wait for")
    may_be_none = count == 0 or not (is_fixed or rollout.active or rollout.had_pods)
    has_lasted = rollout.at - rollout.started >= _SCALED_DOWN_AFTER
    if may_be_none and has_lasted and not rollout.pods.leaving:
        return Ready(f"there have been no pods to wait for in {_SCALED_DOWN_AFTER:g} s")
    return Waiting(_missing(rollout, count, exact=exact), _stuck(rollout))


def _is_scaled_down(rollout: ServiceRollout) -> bool:
    """Return whether fewer pods than configured may be all there are to be.

    An autoscaler unknown to the portal may need fewer, and so may have had fewer before. A quota
    may also prevent them, but then a rolling update keeps its previous pods.
    """
    before = detail(rollout.change.before).service
    had_fewer = before.replicas_active is not None and before.replicas_active < before.replicas
    is_credible = had_fewer or rollout.overlapped or rollout.change.resumes is not None
    return is_credible and not rollout.pods.previous and rollout.active == rollout.up


def _is_mixed(rollout: ServiceRollout) -> bool:
    """Return whether pods of several templates are listed, and which is the new one is unknown."""
    if rollout.change.previous_pods:
        return False
    return len({generation(pod) for pod in rollout.pods.new}) > 1


def _missing(rollout: ServiceRollout, count: int, *, exact: bool) -> str:
    """Return what is still waited for, in words."""
    new, previous = rollout.pods.new, rollout.pods.previous
    others = Counter(
        _CONDITIONS.get(pod.phase, _OTHER_CONDITION)
        for pod in new
        if pod.incarnation not in rollout.up_since
    )
    if others.pop("up", 0):
        others["restarting"] += 1
    goal = str(max(count, len(new))) if exact else f"at least {count}"
    parts = [f"{rollout.up} of {goal} new pods up"]
    parts += [f"{number} {condition}" for condition, number in sorted(others.items())]
    if previous:
        parts.append(f"{_pods(len(previous))} of the previous version still running")
    return ", ".join(parts)


def _stuck(rollout: ServiceRollout) -> str:
    """Return the problem that has lasted longest, empty without problems."""
    if rollout.problems:
        name, observed = min(rollout.problems.items(), key=lambda entry: (entry[1].since, entry[0]))
        return f"pod {name} {observed.problem}"
    for pod in rollout.pods.previous:
        if not pod.is_steady and not _is_up(rollout, pod) and is_in_stateful_set(pod):
            return (
                f"pod {pod.name} of the previous version is not up, and a StatefulSet does not "
                "replace such a pod: delete it"
            )
    prevented = (fault.text for fault in rollout.faults if _prevents_pods(rollout, fault))
    return next(prevented, "") or _unready(rollout)


def _unready(rollout: ServiceRollout) -> str:
    """Return the probe that fails for the pod that came up last, while previous pods remain.

    A pod may be up and not ready, which then shows in the faults alone.
    """
    failing = probe_faults(rollout) if rollout.pods.previous else {}
    if not failing:
        return ""
    latest = max(
        (pod for pod in rollout.pods.new if pod.name in failing and not pod.ready),
        key=lambda pod: rollout.up_since.get(pod.incarnation, 0.0),
        default=None,
    )
    return f"pod {latest.name} may not be ready: {failing[latest.name].text}" if latest else ""


def _prevents_pods(rollout: ServiceRollout, fault: Fault) -> bool:
    """Return whether a fault is one of the new ReplicaSet, such as a quota that is used up."""
    previous = rollout.change.previous_pods
    return any(
        template_of(name) == rollout.service.name and name not in previous
        for name in fault.resources
    )


def state(rollout: ServiceRollout) -> str:
    """Return the images the service is set to, and its pods by image and condition, in words.

    Only the containers of the change are shown.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for pod in (*rollout.pods.new, *rollout.pods.previous):
        counts[_shown_images(rollout, pod), _condition(rollout, pod)] += 1
    listed = [
        f"{_pods(number)} {condition} on {current}"
        for (current, condition), number in sorted(counts.items())
    ]
    by_container = images(rollout.service)
    set_to = ", ".join(
        f"{by_container.get(name, '')} (container {name})" if name else by_container.get(name, "")
        for name in rollout.change.images
    )
    return f"is set to {set_to}, with {', '.join(listed) or 'no pods'}"


def _shown_images(rollout: ServiceRollout, pod: Pod) -> str:
    shown = (shown_image(rollout.service.name, pod, name) for name in rollout.change.images)
    return ", ".join(image.normalise(one) if one else "an unknown image" for one in shown)


def _condition(rollout: ServiceRollout, pod: Pod) -> str:
    condition = _CONDITIONS.get(pod.phase, _OTHER_CONDITION)
    if _is_up(rollout, pod):
        up_for = rollout.at - rollout.up_since.get(pod.incarnation, rollout.started)
        has_settled = up_for >= stability.seconds(rollout, _CALM)
        return "failing" if pod.name in rollout.ends and not has_settled else "up"
    if condition == "up" and pod.ready is False and pod.name not in rollout.ends:
        return "not ready"
    if condition in ("up", "waiting"):
        return "failing" if pod.name in rollout.problems else "restarting"
    return condition


def _is_up(rollout: ServiceRollout, pod: Pod) -> bool:
    return problems.is_up(pod, shows_state=rollout.shows_state)


def _pods(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"
