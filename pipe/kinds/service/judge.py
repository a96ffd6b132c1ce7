"""The verdict on one service's rollout: a pure function of what is known and of time."""

from __future__ import annotations

from collections import Counter

from pipe import image
from pipe.kinds.service import symptoms
from pipe.kinds.service.generation import detail, images, needed
from pipe.kinds.service.track import ServiceRollout, Trouble, takes
from pipe.model import MAIN, Restart, Update
from pipe.portal import Phase
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict, Waiting

_QUIET = 15.0
"""Seconds of full calm after which fewer pods than configured are taken for a scaler's will."""

_WORDS = {
    Phase.UNKNOWN: "in an unknown state",
    Phase.RUNNING: "up",
    Phase.STOPPED: "stopped",
    Phase.PENDING: "starting",
    Phase.WAITING: "waiting",
    Phase.FAILED: "failed",
    Phase.SCHEDULING_FAILED: "without a host",
    Phase.IMAGE_NOT_FOUND: "without image",
    Phase.EVICTED: "evicted",
}


def judge(track: ServiceRollout, stable_seconds: float, deadline: float) -> Verdict:
    """Judge what `track` holds at its moment; `deadline` is on the same clock."""
    if overtaken := _overtaken(track):
        return overtaken
    if doomed := _doomed(track):
        return doomed
    verdict = _progress(track, stable_seconds)
    if isinstance(verdict, Waiting) and track.at >= deadline:
        return TimedOut(f"{verdict.detail}; {verdict.stuck}" if verdict.stuck else verdict.detail)
    return verdict


def _overtaken(track: ServiceRollout) -> Superseded | None:
    asked, change = images(track.service), track.change
    if takes(change, track.service):
        theirs = _replaced(track)
        return Superseded(theirs, replaced=True) if theirs else None
    for container, wanted in change.images.items():
        now, before = asked.get(container, ""), change.before.images.get(container, "")
        still_old = image.same(before, now) and not track.took
        if not image.same(wanted, now) and not still_old:
            return Superseded(now or "nothing")
    return None


def _replaced(track: ServiceRollout) -> str:
    """Somebody else's image that came between the last look and our change, from history.

    The portal has no conditional change; where it keeps no history this stays unknown.
    """
    change = track.change
    if change.resumes or isinstance(change, Restart):
        return ""
    known = Counter(frozenset(one.items()) for one in detail(change.before).service.history)
    added = Counter(frozenset(one.items()) for one in track.service.history) - known
    for name, then in (pair for entry in added for pair in entry if pair[0] in change.images):
        ours = (change.images[name], change.before.images.get(name, ""))
        if known and not any(image.same(own, then) for own in ours):
            return then
    return ""


def _doomed(track: ServiceRollout) -> Failed | None:
    hopeless = [
        (trouble.since, pod, trouble)
        for pod, trouble in track.troubles.items()
        if _is_hopeless(trouble)
    ]
    if not hopeless:
        return None
    _, pod, trouble = min(hopeless, key=lambda entry: entry[:2])
    why = f": {trouble.symptom.why}" if trouble.symptom.why else ""
    return Failed(f"pod {pod} {trouble.symptom.what}{why}", pod)


def _is_hopeless(trouble: Trouble) -> bool:
    patience = trouble.symptom.patience
    if patience is None:
        return False
    enough = patience == symptoms.AT_ONCE or trouble.looks > 1
    return enough and trouble.last - trouble.since >= patience


def _progress(track: ServiceRollout, stable_seconds: float) -> Verdict:
    if not track.took:
        return Waiting("the portal still shows the image from before")
    count, exact = needed(track.service, track.active)
    new, old = track.generations.new, track.generations.old
    if count == 0 and not new:
        return Ready("stopped: there are no pods to wait for")
    all_up = 0 < track.up == len(new)
    enough = track.up >= count and (exact or not old)
    wait = stable_seconds
    if all_up and not enough and not old and track.active == track.up:
        enough, wait = True, max(stable_seconds, _QUIET)
    if not (all_up and enough) or _mixed(track):
        return Waiting(_describe(track, count, exact=exact), _stuck(track))
    told, since = f"{_pods(track.up)} up", max(track.up_since.values())
    if track.at - since < wait:
        return Waiting(f"{told}; staying up for {wait:g} s", until=since + wait)
    return Ready(f"{told} for {wait:g} s" if wait else told)


def _mixed(track: ServiceRollout) -> bool:
    """Whether a restart whose beginning nobody saw still shows pods of two generations."""
    change = track.change
    if isinstance(change, Update) or change.previous_pods:
        return False
    return len({pod.controller for pod in track.generations.new}) > 1


def _describe(track: ServiceRollout, count: int, *, exact: bool) -> str:
    new, old = track.generations.new, track.generations.old
    others = Counter(
        _WORDS.get(pod.phase, "going") for pod in new if pod.incarnation not in track.up_since
    )
    if others.pop("up", 0):
        others["restarting"] += 1
    goal = f"{track.up} of {max(count, len(new)) if exact else f'at least {count}'} new pods up"
    parts = [goal, *(f"{number} {word}" for word, number in sorted(others.items()))]
    if old:
        parts.append(f"{_pods(len(old))} of the version before still there")
    return ", ".join(parts)


def _stuck(track: ServiceRollout) -> str:
    """The reason to show while waiting: the longest-lasting trouble of a pod that is not up."""
    if not track.troubles:
        return ""
    pod, trouble = min(track.troubles.items(), key=lambda entry: (entry[1].since, entry[0]))
    why = f": {trouble.symptom.why}" if trouble.symptom.why else ""
    return f"pod {pod} {trouble.symptom.what}{why}"


def state(track: ServiceRollout) -> str:
    """What runs now, for people: the image asked for, and the pods by image and condition."""
    counts: Counter[tuple[str, str]] = Counter()
    for pod in (*track.generations.new, *track.generations.old):
        shown = next((entry.image for entry in pod.containers), "an unknown image")
        word = "up" if symptoms.is_up(pod) else _WORDS.get(pod.phase, "going")
        if pod.name in track.troubles and word in ("up", "waiting"):
            word = "in trouble"
        counts[image.normalise(shown), word] += 1
    listed = [
        f"{_pods(number)} {word} on {shown}" for (shown, word), number in sorted(counts.items())
    ]
    asked = images(track.service).get(MAIN, "")
    return f"asks for {asked}, with {', '.join(listed) or 'no pods'}"


def _pods(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"
