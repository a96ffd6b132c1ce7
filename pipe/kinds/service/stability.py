"""How long new pods must stay up before that counts, by what the portal shows of crashes."""

from __future__ import annotations

from pipe.kinds.service.rollout import ServiceRollout, crash_faults
from pipe.portal import Pod

_BACK_OFF, _LONGEST_BACK_OFF = 15.0, 60.0
"""Seconds between the second end of a container and its next start, doubling from end to end.

Kubernetes says 10 s; the recordings show up to 15 s.
"""
_WITHOUT_BACK_OFF = 2
"""Ends of a container that follow each other without a pause."""
_CLOSE = 1.0
"""Seconds between two looks that leave no time for a container to start, end and start again."""


def seconds(rollout: ServiceRollout, stable_seconds: float) -> float:
    """Return how long the new pods must stay up.

    Where the portal does not show present states, a container that has ended seems to run until it
    is started again. In a rolling update it does not matter for a container that was started
    before the last previous pod left: that pod is the evidence.
    """
    if rollout.shows_state:
        return stable_seconds
    faults = crash_faults(rollout)
    most = 0 if rollout.overlapped else max(rollout.ends.values(), default=0)
    for pod in rollout.pods.new if faults else ():
        if pod.name in faults and _came_up_alone(rollout, pod):
            # Kubernetes reports the back-off only after the second end.
            most = max(most, rollout.ends.get(pod.name, 1) + 1)
    if not most:
        return stable_seconds
    return max(stable_seconds, min(_BACK_OFF * 2.0 ** (most - 1), _LONGEST_BACK_OFF))


def is_calm(rollout: ServiceRollout, crash_limit: int) -> bool:
    """Return whether no container has ended, and the end of one shows however late the next look.

    Two ends may follow each other between two looks; the third comes after a back-off.
    """
    may_be_late = not 0 < crash_limit <= _WITHOUT_BACK_OFF
    return (
        may_be_late
        and rollout.shows_state
        and not (rollout.ends or rollout.problems)
        and all(pod.counts_restarts for pod in rollout.pods.new)
    )


def _came_up_alone(rollout: ServiceRollout, pod: Pod) -> bool:
    """Return whether a pod's containers may have been started after the last previous pod left.

    Between two looks close to each other, a start comes first: readiness makes Kubernetes go on.
    """
    if not rollout.overlapped or rollout.beside_until is None:
        return True
    up_since = rollout.up_since.get(pod.incarnation, rollout.at)
    return up_since - rollout.beside_until > _CLOSE


def last_crash(rollout: ServiceRollout) -> str:
    """Return the crash of a pod that is up, on portals where that may be mere appearance."""
    faults = {} if rollout.shows_state else crash_faults(rollout)
    return next((f"pod {name} has crashed: {fault.text}" for name, fault in faults.items()), "")
