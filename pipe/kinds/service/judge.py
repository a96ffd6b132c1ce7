"""The verdict on one service's rollout: a pure function of what was observed and of time."""

from __future__ import annotations

from collections import Counter

from pipe import image
from pipe.kinds.service import problems
from pipe.kinds.service.pods import needed
from pipe.kinds.service.rollout import ServiceRollout, is_set_to
from pipe.kinds.service.snapshot import detail, images
from pipe.model import Restart, Update
from pipe.portal import Phase
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict, Waiting

_SCALED_DOWN_AFTER = 15.0
"""Seconds of stability after which fewer pods than configured are attributed to an autoscaler."""

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


def judge(rollout: ServiceRollout, stable_seconds: float, deadline: float) -> Verdict:
    """Return the verdict as of the last look; `deadline` is on the same clock."""
    if bad := _superseded(rollout) or _failed(rollout):
        return bad
    verdict = _progress(rollout, stable_seconds)
    if isinstance(verdict, Waiting) and rollout.at >= deadline:
        return TimedOut.while_waiting(verdict, deadline - rollout.started)
    return verdict


def _superseded(rollout: ServiceRollout) -> Superseded | None:
    current, change = images(rollout.service), rollout.change
    if is_set_to(change, rollout.service):
        replaced = _replaced_image(rollout)
        return Superseded(replaced, replaced=True) if replaced else None
    for container, wanted in change.images.items():
        now, before = current.get(container, ""), change.before.images.get(container, "")
        is_outdated = image.same(before, now) and not rollout.was_set
        if not image.same(wanted, now) and not is_outdated:
            return Superseded(now or "no image")
    return None


def _replaced_image(rollout: ServiceRollout) -> str:
    """Return the image another deployment set between the last look and our change, if any.

    The portal has no conditional change, and only its history shows this.
    """
    change = rollout.change
    if change.resumes or isinstance(change, Restart):
        return ""
    known = Counter(frozenset(one.items()) for one in detail(change.before).service.history)
    added = Counter(frozenset(one.items()) for one in rollout.service.history) - known
    for name, set_to in (pair for entry in added for pair in entry if pair[0] in change.images):
        ours = (change.images[name], change.before.images.get(name, ""))
        if known and not any(image.same(own, set_to) for own in ours):
            return set_to
    return ""


def _failed(rollout: ServiceRollout) -> Failed | None:
    final = [(one.since, pod, one) for pod, one in rollout.problems.items() if one.is_final]
    if not final:
        return None
    _, pod, observed = min(final, key=lambda entry: entry[:2])
    return Failed(f"pod {pod} {observed.problem}", pod)


def _progress(rollout: ServiceRollout, stable_seconds: float) -> Verdict:
    if not rollout.was_set:
        return Waiting("the portal still shows the previous image")
    count, exact = needed(rollout.service, rollout.active)
    new, previous = rollout.pods.new, rollout.pods.previous
    if count == 0 and not new:
        return Ready("it is stopped, so there are no pods to wait for")
    all_up = 0 < rollout.up == len(new)
    enough = rollout.up >= count and (exact or not previous)
    wait = stable_seconds
    if all_up and not enough and not previous and rollout.active == rollout.up:
        enough, wait = True, max(stable_seconds, _SCALED_DOWN_AFTER)
    if not (all_up and enough) or _is_mixed(rollout):
        return Waiting(_missing(rollout, count, exact=exact), _stuck(rollout))
    pods_up, since = f"{_pods(rollout.up)} up", max(rollout.up_since.values())
    if rollout.at - since < wait:
        return Waiting(f"{pods_up}; must stay up for {wait:g} s", until=since + wait)
    return Ready(f"{pods_up} for {wait:g} s" if wait else pods_up)


def _is_mixed(rollout: ServiceRollout) -> bool:
    """Return whether a resumed restart still shows pods from before and after it."""
    change = rollout.change
    if isinstance(change, Update) or change.previous_pods:
        return False
    return len({pod.controller for pod in rollout.pods.new}) > 1


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
    if not rollout.problems:
        return ""
    pod, observed = min(rollout.problems.items(), key=lambda entry: (entry[1].since, entry[0]))
    return f"pod {pod} {observed.problem}"


def state(rollout: ServiceRollout) -> str:
    """Return the image the service is set to, and its pods by image and condition, in words."""
    counts: Counter[tuple[str, str]] = Counter()
    for pod in (*rollout.pods.new, *rollout.pods.previous):
        current = next((entry.image for entry in pod.containers), "an unknown image")
        condition = _CONDITIONS.get(pod.phase, _OTHER_CONDITION)
        if problems.is_up(pod):
            condition = "up"
        if pod.name in rollout.problems and condition in ("up", "waiting"):
            condition = "failing"
        counts[image.normalise(current), condition] += 1
    listed = [
        f"{_pods(number)} {condition} on {current}"
        for (current, condition), number in sorted(counts.items())
    ]
    by_container = images(rollout.service)
    set_to = ", ".join(by_container.get(name, "") for name in rollout.change.images)
    return f"is set to {set_to}, with {', '.join(listed) or 'no pods'}"


def _pods(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"
