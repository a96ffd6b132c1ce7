"""Reading and changing services."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pipe import image
from pipe.clock import Clock
from pipe.kinds.driver import Driver
from pipe.kinds.send_once import SendOnce
from pipe.kinds.service.address import address, listener
from pipe.kinds.service.generation import (
    ServiceDetail,
    by_owner,
    detail,
    identities,
    images,
    owner,
    split,
)
from pipe.kinds.service.judge import judge
from pipe.kinds.service.track import Look, begin, fold, takes
from pipe.kinds.service.watcher import ServiceWatcher, read_services
from pipe.model import MAIN, Change, Restart, Resumption, Snapshot, Target, Update
from pipe.portal import Phase, Service, TenantPortal
from pipe.rollout import Ready


class ServiceDriver(Driver):
    """See `Driver`."""

    def __init__(self, portal: TenantPortal, clock: Clock) -> None:
        self._portal = portal
        self._clock = clock

    def read(self, targets: Sequence[Target]) -> Mapping[Target, Snapshot]:
        """See `Driver`."""
        found = read_services(self._portal, [target.name for target in targets])
        return {
            target: _snapshot(target, found[target.name])
            for target in targets
            if target.name in found
        }

    def names(self) -> Iterable[str]:
        """See `Driver`."""
        return [service.name for service in self._portal.services.list()]

    def prepare(self, changes: Sequence[Change]) -> Sequence[Change]:
        """See `Driver`."""
        pods, faults = by_owner(self._portal.pods.list()), self._portal.faults.list()
        known = frozenset(fault.key for fault in faults)
        prepared = []
        for change in changes:
            own, old = pods[change.target.name], known
            if change.resumes:
                # It finds its own pods' faults there already: they are no old ones.
                names = {pod.name for pod in own}
                old = frozenset(fault.key for fault in faults if not names & fault.resources)
            restarts = {pod.name: pod.restarts for pod in own}
            before = ServiceDetail(detail(change.before).service, restarts, old)
            fresh = change.with_snapshot(replace(change.before, detail=before))
            seen = frozenset(one for pod in own for one in identities(pod))
            prepared.append(fresh if change.resumes else replace(fresh, previous_pods=seen))
        return prepared

    def is_rolled_out(self, snapshots: Sequence[Snapshot]) -> Mapping[Target, bool]:
        """See `Driver`."""
        pods, faults = by_owner(self._portal.pods.list()), self._portal.faults.list()
        return {
            snapshot.target: self._is_settled(
                snapshot,
                Look(
                    self._clock.monotonic(),
                    pods[snapshot.target.name],
                    detail(snapshot).service,
                    faults,
                ),
            )
            for snapshot in snapshots
        }

    def change(self, change: Change) -> None:
        """See `Driver`."""
        SendOnce(self._clock).send(
            str(change.target), lambda: self._send(change), lambda: self._shows(change)
        )

    def watch(self, changes: Sequence[Change], stable_seconds: float) -> ServiceWatcher:
        """See `Driver`."""
        return ServiceWatcher(self._portal, self._clock, changes, stable_seconds)

    def address(self, snapshot: Snapshot) -> str:
        """See `Driver`."""
        service = detail(snapshot).service
        entry = listener(service)
        if entry is None:
            return ""
        return address(service, entry) or address(
            service, entry, self._portal.services.load_balancer(service)
        )

    def previous_images(self, snapshot: Snapshot) -> Mapping[str, str] | None:
        """See `Driver`."""
        for deployed in reversed(detail(snapshot).service.history):
            differing = {
                name: then
                for name, then in deployed.items()
                if name in snapshot.images and not image.same(then, snapshot.images[name])
            }
            if differing:
                return differing
        return None

    def _send(self, change: Change) -> None:
        service = detail(change.before).service
        if isinstance(change, Restart):
            self._portal.services.restart(service)
        else:
            self._portal.services.change_images(service, change.images)

    def _shows(self, change: Change) -> bool:
        """Whether the portal made the change although its reply was lost."""
        service = self._portal.services.find(change.target.name)
        if service is None:
            return False
        if isinstance(change, Update):
            return takes(change, service)
        before = detail(change.before)
        if service.restarted_at != before.service.restarted_at:
            return True
        if not change.previous_pods:
            return False
        own = [pod for pod in self._portal.pods.list() if owner(pod) == change.target.name]
        return bool(split(change, own).new)

    def _is_settled(self, snapshot: Snapshot, look: Look) -> bool:
        as_it_is = Update(snapshot, {MAIN: snapshot.images[MAIN]}, Resumption())
        known = fold(begin(as_it_is, look.at), look)
        calm = not known.troubles and all(
            pod.restarts == 0 and pod.phase is Phase.RUNNING for pod in known.generations.new
        )
        return calm and isinstance(judge(known, 0.0, float("inf")), Ready)


def _snapshot(target: Target, service: Service) -> Snapshot:
    asked = images(service)
    parts = [service.deployed_at, service.restarted_at, service.allocation_tags, *asked.values()]
    moments = (_moment(service.deployed_at), _moment(service.restarted_at))
    return Snapshot(
        target,
        asked,
        "|".join(parts),
        ServiceDetail(service),
        max((moment for moment in moments if moment), default=None),
        main=service.name,
    )


def _moment(text: str) -> datetime | None:
    """A time as the portal writes it; in UTC where it does not say."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
