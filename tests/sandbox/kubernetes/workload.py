"""What Kubernetes keeps about a service's Deployment or set besides its pods.

The rules are those of Kubernetes' own controllers; `tests/conformance` holds them against
recordings of a real cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sandbox.stamp import second

if TYPE_CHECKING:
    from tests.sandbox.pods import Pod
    from tests.sandbox.service import Service

Json = dict[str, Any]


@dataclass(frozen=True)
class Spec:
    """What a change of raises the generation: the template, the count, whether it is paused."""

    template: str
    wanted: int
    paused: bool


@dataclass(frozen=True)
class Counts:
    """The counts of a Deployment's status, from those of its ReplicaSets."""

    replicas: int = 0
    updated: int = 0
    ready: int = 0
    desired: int = 0
    """The sum of what the ReplicaSets are to have, which differs where a quota holds them back."""

    def shown(self) -> Json:
        """Return them as the API does: without those that are zero."""
        counts = {
            "replicas": self.replicas,
            "updatedReplicas": self.updated,
            "readyReplicas": self.ready,
            "availableReplicas": self.ready,
            "unavailableReplicas": max(0, self.desired - self.ready),
        }
        return {name: count for name, count in counts.items() if count}

    def progresses(self, before: Counts) -> bool:
        """Return whether the Deployment's controller calls this progress."""
        fewer_old = self.replicas - self.updated < before.replicas - before.updated
        return fewer_old or self.updated > before.updated or self.ready > before.ready


@dataclass
class Workload:
    """The generation and the conditions of one service's Deployment or set."""

    generation: int = 1
    spec: Spec | None = None
    changed_at: float = 0.0
    before: Json = field(default_factory=dict)
    """The status until the controller has observed the last change."""
    progress: tuple[str, str] = ("", "")
    """Reason and ReplicaSet of the condition Progressing."""
    progress_at: float = 0.0
    counts: Counts = field(default_factory=Counts)
    revision: str = ""
    """The last revision of a set that was rolled out completely."""
    shares: dict[str, int] = field(default_factory=dict)
    refusal: str = ""
    """Why a pod could not be created."""

    def changing(self, service: Service) -> None:
        """Note the spec before the controllers act on it."""
        now = Spec(service.generation, service.wanted, service.paused)
        if self.spec is None:
            self._begin(service, now)
        elif now != self.spec:
            self.before = self._status(service, self.spec)
            self.spec, self.changed_at = now, service.world.at
            self.generation += 1
        self.refusal = ""

    def acted(self, service: Service) -> None:
        """Note what the controllers have done."""
        if service.statefulset and _is_rolled_out(service):
            self.revision = service.generation
        if not (service.statefulset or service.daemonset):
            self._note_progress(service)
            self._report_scaling(service)

    def status(self, service: Service) -> Json:
        """Return the status at this moment."""
        assert self.spec is not None
        if service.world.at < self.changed_at + service.world.kubernetes.lag:
            return self.before
        return self._status(service, self.spec)

    def _begin(self, service: Service, now: Spec) -> None:
        self.spec, self.revision = now, service.generations[0]
        self.changed_at = self.progress_at = service.world.at - 3600.0
        self.shares = {service.generations[0]: now.wanted}
        self.counts = Counts(now.wanted, now.wanted, now.wanted, now.wanted)
        self.progress = "NewReplicaSetAvailable", service.generations[0]

    def _status(self, service: Service, spec: Spec) -> Json:
        observed = {"observedGeneration": self.generation}
        if service.daemonset:
            return observed | daemon_set_counts(service, spec)
        if service.statefulset:
            return observed | stateful_set_counts(service, spec, self.revision)
        counts = deployment_counts(service, spec)
        conditions = [*self._conditions(service, spec, counts)]
        return observed | counts.shown() | {"conditions": conditions}

    # The condition Progressing of a Deployment

    def _note_progress(self, service: Service) -> None:
        assert self.spec is not None
        counts, before = deployment_counts(service, self.spec), self.counts
        self.counts = counts
        new = service.generation
        if service.paused:
            return self._progressed(service, "DeploymentPaused", new)
        reason, about = self.progress
        if self._is_made(service, new) and about != new:
            is_known = new in self.shares
            reason = "FoundNewReplicaSet" if is_known else "NewReplicaSetCreated"
            self._progressed(service, reason, new)
            # Nothing of the new ReplicaSet has been counted yet.
            before = Counts(before.replicas, 0, before.ready)
        if counts.replicas == counts.updated and reason == "NewReplicaSetAvailable":
            return None
        if counts.updated == counts.replicas == counts.ready == self.spec.wanted:
            return self._progressed(service, "NewReplicaSetAvailable", new)
        if counts.progresses(before):
            return self._progressed(service, "ReplicaSetUpdated", new)
        return None

    @staticmethod
    def _is_made(service: Service, replica_set: str) -> bool:
        """Return whether a ReplicaSet exists: with Recreate, only when the others are gone."""
        share = service.shares.get(replica_set)
        return bool(share) if service.strategy.recreate else share is not None

    def _progressed(self, service: Service, reason: str, about: str) -> None:
        self.progress, self.progress_at = (reason, about), service.world.at

    def _report_scaling(self, service: Service) -> None:
        for name, share in service.shares.items():
            before = self.shares.get(name, 0)
            if share != before:
                events = service.world.kubernetes.events
                events.scaled(service.tenant.id, service.name, name, before, share)
        self.shares |= service.shares

    def _conditions(self, service: Service, spec: Spec, counts: Counts) -> list[Json]:
        least = spec.wanted - service.strategy.unavailable(spec.wanted)
        conditions = [_available(is_met=counts.ready >= least), self._progressing(service)]
        if self.refusal:
            conditions.append(_condition("ReplicaFailure", "True", "FailedCreate", self.refusal))
        moment = second(service.world.date_of(self.progress_at))
        return [
            one | {"lastUpdateTime": moment, "lastTransitionTime": moment} for one in conditions
        ]

    def _progressing(self, service: Service) -> Json:
        reason, name = self.progress
        waited = service.world.at - self.progress_at
        words = {
            "NewReplicaSetCreated": f'Created new replica set "{name}"',
            "FoundNewReplicaSet": f'Found new replica set "{name}"',
            "ReplicaSetUpdated": f'ReplicaSet "{name}" is progressing.',
            "NewReplicaSetAvailable": f'ReplicaSet "{name}" has successfully progressed.',
            "DeploymentPaused": "Deployment is paused",
        }
        is_over = reason in ("NewReplicaSetAvailable", "DeploymentPaused")
        if not is_over and waited > service.world.kubernetes.progress_deadline:
            late = f'ReplicaSet "{name}" has timed out progressing.'
            return _condition("Progressing", "False", "ProgressDeadlineExceeded", late)
        status = "Unknown" if reason == "DeploymentPaused" else "True"
        return _condition("Progressing", status, reason, words[reason])


def deployment_counts(service: Service, spec: Spec) -> Counts:
    """Return the counts of a Deployment; it leaves out pods that are leaving or have failed."""
    pods = [pod for pod in service.members if not pod.leaving and not pod.failed]
    return Counts(
        replicas=len(pods),
        updated=sum(pod.generation == spec.template for pod in pods),
        ready=sum(pod.ready for pod in pods),
        desired=sum(service.shares.values()),
    )


def stateful_set_counts(service: Service, spec: Spec, current: str) -> Json:
    """Return the status of a StatefulSet, which counts leaving pods as its own until they end."""
    pods = service.members
    staying = [pod for pod in pods if not pod.leaving]
    counts = {
        "replicas": len(pods),
        "readyReplicas": sum(pod.shown_ready for pod in pods),
        "currentReplicas": sum(pod.generation == current for pod in staying),
        "updatedReplicas": sum(pod.generation == spec.template for pod in staying),
    }
    return {name: count for name, count in counts.items() if count or name == "replicas"} | {
        "currentRevision": current,
        "updateRevision": spec.template,
        "collisionCount": 0,
    }


def daemon_set_counts(service: Service, spec: Spec) -> Json:
    """Return the status of a DaemonSet, by node: of each the oldest pod counts."""
    oldest: dict[int, Pod] = {}
    for pod in sorted(service.members, key=lambda pod: pod.index):
        oldest.setdefault(pod.ordinal, pod)
    ready = sum(pod.shown_ready for pod in oldest.values())
    optional = {
        "updatedNumberScheduled": sum(
            pod.generation == spec.template and not pod.leaving for pod in oldest.values()
        ),
        "numberAvailable": ready,
        "numberUnavailable": spec.wanted - ready,
    }
    return {
        "currentNumberScheduled": len(oldest),
        "desiredNumberScheduled": spec.wanted,
        "numberMisscheduled": 0,
        "numberReady": ready,
        **{name: count for name, count in optional.items() if count},
    }


def _is_rolled_out(service: Service) -> bool:
    staying = [pod for pod in service.members if pod.ready and pod.generation == service.generation]
    return len(staying) == service.wanted


def _available(*, is_met: bool) -> Json:
    if is_met:
        words = "Deployment has minimum availability."
        return _condition("Available", "True", "MinimumReplicasAvailable", words)
    words = "Deployment does not have minimum availability."
    return _condition("Available", "False", "MinimumReplicasUnavailable", words)


def _condition(kind: str, status: str, reason: str, message: str) -> Json:
    return {"type": kind, "status": status, "reason": reason, "message": message}
