"""Looks at services: which reads a look needs, and what they add up to.

Every look reads the tenant's pods. Services and faults are read in turn while something is
still coming up, both at once when pods show trouble, and services once more before anything
is called ready: nobody may have changed it back meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipe.clock import Clock, Deadline
from pipe.errors import PipeError
from pipe.kinds.service import symptoms, track
from pipe.kinds.service.generation import by_owner, detail
from pipe.kinds.service.judge import judge, state
from pipe.kinds.service.track import Look, ServiceRollout
from pipe.model import Change, Target
from pipe.portal import Fault, Phase, Pod, Service, TenantPortal
from pipe.rollout import Evidence, Failed, PodCounts, Ready, Verdict, Waiting, Watcher

_SPEAKING = (Phase.RUNNING, Phase.WAITING, Phase.FAILED)
_MOST_FAULTS = 5


class ServiceWatcher(Watcher):
    """See `Watcher`."""

    def __init__(
        self,
        portal: TenantPortal,
        clock: Clock,
        changes: Sequence[Change],
        stable_seconds: float,
    ) -> None:
        self._portal = portal
        self._clock = clock
        self._stable_seconds = stable_seconds
        self._started = clock.monotonic()
        self._tracks = {change.target: track.begin(change, self._started) for change in changes}
        self._pod_counts: dict[Target, list[PodCounts]] = defaultdict(list)
        self._looks = 0

    def look(self, deadline: Deadline) -> Mapping[Target, Verdict]:
        """See `Watcher`."""
        portal = self._portal.until(deadline)
        pods = self._pods(portal)
        asks_services = self._asks_services()
        services = self._services(portal) if asks_services else None
        troubled = any(_shows_trouble(pod) for found in pods.values() for pod in found)
        asks_faults = troubled or (not asks_services and self._any_coming_up(pods))
        faults = portal.faults.list() if asks_faults else None
        self._looks += 1
        verdicts = self._take_in(pods, services, faults, deadline)
        if services is None and (asked := self._last_look(portal, verdicts)) is not None:
            verdicts = self._take_in(pods, asked, faults, deadline)
        self._sample()
        return verdicts

    def state(self, target: Target) -> str:
        """See `Watcher`."""
        return state(self._tracks[target])

    def pod_counts(self, target: Target) -> Sequence[PodCounts]:
        """See `Watcher`."""
        return tuple(self._pod_counts[target])

    def evidence(self, target: Target, verdict: Verdict) -> Evidence:
        """See `Watcher`."""
        known = self._tracks[target]
        pod = self._culprit(known, verdict)
        names = {pod.name} if pod else set()
        if known.service.faults_by_service:
            names.add(known.service.name)
        told = sorted(
            (fault for fault in known.faults if names & fault.resources),
            key=lambda fault: fault.severity,
            reverse=True,
        )
        texts = tuple(dict.fromkeys(fault.text for fault in told if fault.text))[:_MOST_FAULTS]
        lines = self._log(pod) if pod else ()
        return Evidence(target, pod.name if pod else "", texts, lines)

    def _pods(self, portal: TenantPortal) -> Mapping[str, tuple[Pod, ...]]:
        pods = by_owner(portal.pods.list())
        return {target.name: pods[target.name] for target in self._tracks}

    def _services(self, portal: TenantPortal) -> Mapping[str, Service]:
        return read_services(portal, [target.name for target in self._tracks])

    def _last_look(
        self, portal: TenantPortal, verdicts: Mapping[Target, Verdict]
    ) -> Mapping[str, Service] | None:
        """Services once more before a verdict that ends the watch; None when it goes on.

        Success needs that look. A failure is told all the same where nobody answers.
        """
        if any(isinstance(verdict, Ready) for verdict in verdicts.values()):
            return self._services(portal)
        if all(isinstance(verdict, Waiting) for verdict in verdicts.values()):
            return None
        try:
            return self._services(portal)
        except PipeError:
            return None

    def _asks_services(self) -> bool:
        return (self._looks % 2 == 0 and not self._steady()) or not self._all_took()

    def _all_took(self) -> bool:
        return all(known.took for known in self._tracks.values())

    def _steady(self) -> bool:
        """Whether at the last look everything new was up: then pods alone tell the rest."""
        return all(
            known.took and known.generations.new and known.up == len(known.generations.new)
            for known in self._tracks.values()
        )

    def _any_coming_up(self, pods: Mapping[str, tuple[Pod, ...]]) -> bool:
        return any(not symptoms.is_up(pod) for found in pods.values() for pod in found)

    def _take_in(
        self,
        pods: Mapping[str, tuple[Pod, ...]],
        services: Mapping[str, Service] | None,
        faults: Sequence[Fault] | None,
        deadline: Deadline,
    ) -> Mapping[Target, Verdict]:
        at = self._clock.monotonic()
        for target, known in self._tracks.items():
            # A service that vanished keeps its last shape; its pods will tell the rest.
            service = None if services is None else services.get(target.name, known.service)
            fresh = None if faults is None else self._fresh(known.change, faults)
            look = Look(at, pods[target.name], service, fresh)
            self._tracks[target] = track.fold(known, look)
        return {
            target: judge(known, self._stable_seconds, deadline.at)
            for target, known in self._tracks.items()
        }

    def _fresh(self, change: Change, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        stale = detail(change.before).faults
        return tuple(fault for fault in faults if fault.key not in stale)

    def _sample(self) -> None:
        for target, known in self._tracks.items():
            up, new = known.up, len(known.generations.new)
            self._pod_counts[target].append(
                PodCounts(
                    known.at - self._started, len(known.generations.old), up, max(0, new - up)
                )
            )

    def _culprit(self, known: ServiceRollout, verdict: Verdict) -> Pod | None:
        new = known.generations.new
        named = verdict.pod if isinstance(verdict, Failed) else ""
        worst_first = [
            *(pod for pod in new if pod.name == named),
            *(pod for pod in new if pod.name in known.troubles),
            *(pod for pod in new if not symptoms.is_up(pod)),
            # All are well, yet something is wrong with what they do: any one's log may say what.
            *new,
        ]
        return next(iter(worst_first), None)

    def _log(self, pod: Pod) -> tuple[str, ...]:
        """The first log a container of the pod has, of one in trouble before the main one."""
        if pod.phase not in _SPEAKING or not pod.host:
            return ()
        in_order = (*pod.containers, *pod.init_containers)
        for container in sorted(in_order, key=lambda one: not (one.waiting or one.restarts)):
            if container.docker_id and (
                lines := self._portal.pods.log_tail(pod, container.docker_id)
            ):
                return lines
        return ()


def _shows_trouble(pod: Pod) -> bool:
    return not symptoms.is_calm(pod) and symptoms.diagnose(pod, ()) is not None


def read_services(portal: TenantPortal, names: Sequence[str]) -> Mapping[str, Service]:
    """The services of these names that exist, by one request, however many they are."""
    if len(names) == 1:
        found = portal.services.find(names[0])
        return {found.name: found} if found else {}
    wanted = set(names)
    return {service.name: service for service in portal.services.list() if service.name in wanted}
