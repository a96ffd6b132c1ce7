"""What Kubernetes' events and containers show of a service's rollout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pipe.clock import Deadline
from pipe.kinds.service import problems
from pipe.kinds.service.cluster_view import ClusterView
from pipe.kinds.service.pods import is_terminating, owner, template_of
from pipe.kinds.service.rollout import ServiceRollout
from pipe.kubernetes import Event
from pipe.portal import Container, Fault, Phase, Pod, Termination
from pipe.rollout import Evidence, RolloutEvent

_ERROR = 3
"""The severity of a warning, as that of the portal's fault for it."""
_MOST_SHOWN = 10
_MOST_RECORDED = 100
_MOST_LOGS = 4


def warnings(events: Iterable[Event], pods: Iterable[Pod]) -> tuple[Fault, ...]:
    """Return warnings as the faults that the portal would show for them.

    Left out are those about pods that are ending or gone, also if another one has their name.
    """
    uids = {pod.name: pod.uid for pod in pods if not is_terminating(pod)}
    return tuple(
        Fault(frozenset({event.name}), event.message or event.reason, _ERROR)
        for event in events
        if event.warning
        if event.kind != "Pod" or uids.get(event.name) in ("", event.uid)
    )


def since(
    began: datetime, rollout: ServiceRollout, events: Sequence[Event]
) -> tuple[RolloutEvent, ...]:
    """Return the events about a service from `began` on, with their moments."""
    own = (event for event in events if _is_about(event, rollout.service.name))
    timed = ((_moment(event, began), event) for event in own)
    recorded = [
        RolloutEvent(
            seconds,
            f"{event.kind}/{event.name}",
            event.reason,
            event.message,
            event.count,
            event.warning,
        )
        for seconds, event in timed
        if seconds >= 0
    ]
    worst = sorted(recorded, key=lambda one: (not one.warning, one.seconds))[:_MOST_RECORDED]
    return tuple(sorted(worst, key=lambda one: one.seconds))


def gather(
    rollout: ServiceRollout,
    pod: Pod | None,
    events: Sequence[Event],
    view: ClusterView,
    deadline: Deadline,
) -> Evidence | None:
    """Return why a rollout failed: events, the states of containers, and the last lines of one.

    Without a pod to blame they are those of the controllers. Returns None if that is nothing.
    """
    target, bad = rollout.change.target, [event for event in events if event.warning]
    if pod is None:
        own = [one for one in bad if one.kind != "Pod" and _is_about(one, target.name)]
        return Evidence(target, faults=_described(own)) if own else None
    own = [one for one in bad if one.name == pod.name and one.uid in ("", pod.uid)]
    log_of, log = _log(pod, view, deadline)
    return Evidence(
        target,
        pod.name,
        _described(own),
        log,
        containers=tuple(_state(one) for one in pod.all_containers),
        log_of=log_of,
    )


def _is_about(event: Event, service: str) -> bool:
    match event.kind:
        case "Pod":
            return owner(_nameless(event.name)) == service
        case "ReplicaSet":
            return template_of(event.name) == service
        case _:
            return event.name == service


def _nameless(name: str) -> Pod:
    """Return a pod of which only the name is known, which shows what it belongs to."""
    return Pod(name, "", Phase.UNKNOWN, Phase.RUNNING, "", "", "", ())


def _moment(event: Event, began: datetime) -> float:
    """Return when an event came for the first time since `began`, in seconds."""
    moments = [(at - began).total_seconds() for at in (event.first, event.last) if at]
    return next((seconds for seconds in moments if seconds >= 0), -1.0)


def _described(events: Sequence[Event]) -> tuple[str, ...]:
    """Return events in words, the newest first, each with how often it came."""
    counts: dict[tuple[str, str], int] = {}
    for event in events:
        key = event.reason, event.message
        counts[key] = counts.get(key, 0) + event.count
    return tuple(
        f"{reason}{f' ({count} times)' if count > 1 else ''}: {message}"
        for (reason, message), count in counts.items()
    )[:_MOST_SHOWN]


def _state(container: Container) -> str:
    """Return a container's state in words, with how it ended before."""
    if container.waiting:
        now = f"waiting ({container.waiting})"
        now += f": {container.message}" if container.message else ""
    elif container.ended and container.last:
        now = f"ended ({_end(container.last)})"
    else:
        now = "running" if container.running else "not started"
    parts = [f"{container.name}: {now}"]
    if container.last and not container.ended:
        parts.append(f"ended before ({_end(container.last)})")
    if container.restarts:
        parts.append(
            f"restarted {'once' if container.restarts == 1 else f'{container.restarts} times'}"
        )
    return "; ".join(parts)


def _end(end: Termination) -> str:
    code = "" if end.exit_code is None else f"exit code {end.exit_code}"
    return ", ".join(filter(None, (end.reason, code, problems.signal_name(end))))


def _log(pod: Pod, view: ClusterView, deadline: Deadline) -> tuple[str, tuple[str, ...]]:
    """Return whose log it is and its last lines, of the first container that has any.

    Containers that failed come first, with what they wrote before they ended.
    """
    failing_first = sorted(
        pod.all_containers, key=lambda one: not (one.waiting or one.ended or one.restarts)
    )
    for container in failing_first[:_MOST_LOGS]:
        if not container.docker_id or deadline.passed():
            continue
        crashed = bool(container.last and not container.ended)
        for previous in (True, False) if crashed else (False,):
            if lines := view.log_tail(pod, container.name, deadline, previous=previous):
                return f"container {container.name}{' before it ended' if previous else ''}", lines
    return "", ()
