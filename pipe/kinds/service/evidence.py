"""Evidence of a service's failed rollout: faults, and the log of the pod to look at."""

from __future__ import annotations

from pipe.clock import Deadline
from pipe.kinds.service import problems
from pipe.kinds.service.rollout import ServiceRollout
from pipe.model import Target
from pipe.portal import Phase, Pod, TenantPortal
from pipe.rollout import Evidence, Failed, Verdict

_PHASES_WITH_LOG = (Phase.RUNNING, Phase.WAITING, Phase.FAILED)
_MAX_FAULTS = 5
_MOST_LOGS = 10
_SECONDS_PER_LOG = 5.0


def gather(
    target: Target,
    rollout: ServiceRollout,
    verdict: Verdict,
    portal: TenantPortal,
    deadline: Deadline,
) -> Evidence:
    """Return the worst faults of a rollout, and the last log lines of one of its pods."""
    pod = pod_to_blame(rollout, verdict)
    if pod is None:
        return Evidence(target, faults=_faults(rollout, frozenset()))
    faults = _faults(rollout, frozenset({pod.name}))
    return Evidence(target, pod.name, faults, _log(pod, portal, deadline))


def pod_to_blame(rollout: ServiceRollout, verdict: Verdict) -> Pod | None:
    """Return the pod that best shows why a rollout failed, None if there is no new one."""
    new = rollout.pods.new
    named = verdict.pod if isinstance(verdict, Failed) else ""
    worst_first = [
        *(pod for pod in new if pod.name == named),
        *(pod for pod in new if pod.name in rollout.problems),
        *(pod for pod in new if not problems.is_up(pod, shows_state=rollout.shows_state)),
        # All are up, but a test failed: the log of any pod may show why.
        *new,
    ]
    return next(iter(worst_first), None)


def _faults(rollout: ServiceRollout, names: frozenset[str]) -> tuple[str, ...]:
    if rollout.service.faults_by_service:
        names |= {rollout.service.name}
    worst_first = sorted(
        (fault for fault in rollout.faults if names & fault.resources),
        key=lambda fault: fault.severity,
        reverse=True,
    )
    distinct = dict.fromkeys(fault.text for fault in worst_first if fault.text)
    return tuple(distinct)[:_MAX_FAULTS]


def _log(pod: Pod, portal: TenantPortal, deadline: Deadline) -> tuple[str, ...]:
    """Return the first log that a container of the pod has, trying failing containers first."""
    if pod.phase not in _PHASES_WITH_LOG or not pod.host:
        return ()
    containers = (*pod.containers, *pod.init_containers)
    failing_first = sorted(containers, key=lambda one: not (one.waiting or one.restarts))
    for container in failing_first[:_MOST_LOGS]:
        if not container.docker_id or deadline.passed():
            continue
        soon = Deadline.after(deadline.clock, min(_SECONDS_PER_LOG, deadline.left()))
        if lines := portal.until(soon, grace=0.0).pods.log_tail(pod, container.docker_id):
            return lines
    return ()
