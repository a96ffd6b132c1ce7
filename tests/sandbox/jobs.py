"""Kubernetes jobs: their controller, held against recordings of a real cluster."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.sandbox.behaviour import Step
from tests.sandbox.commands import command_line
from tests.sandbox.faults import Fault
from tests.sandbox.job_object import completed
from tests.sandbox.job_pods import JobPod, controller_of
from tests.sandbox.pods import Pod, Template
from tests.sandbox.stamp import guid, stamp, suffix

if TYPE_CHECKING:
    from tests.sandbox.access import Tenant
    from tests.sandbox.world import World

Json = dict[str, Any]
Deletion = Literal["background", "foreground", "orphan"]

NOTICED = 0.4
"""Seconds until the controller reacts to a new job, and to a first failure."""
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 360.0
PAUSE_GROWTH = 3.0
"""How the pause after a failure grows. Kubernetes doubles it, but counts some failures twice:
10 s are followed by 20 to 40."""
WHEN_FAILED = "duplocloud.net/fault/when-failed"


@dataclass
class Job:
    """A job: its object, its pods, and what its status shows of them."""

    world: World
    tenant: Tenant
    document: Json
    created: float
    pods: list[JobPod] = field(default_factory=list)
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    started: float | None = None
    ended: float | None = None
    condition: Json = field(default_factory=dict)
    deleted: bool = False
    _resting_until: float = 0.0

    @property
    def name(self) -> str:
        """The name in Kubernetes."""
        return str(self.document["metadata"]["name"])

    @property
    def spec(self) -> Json:
        """The specification."""
        spec: Json = self.document["spec"]
        return spec

    @property
    def over(self) -> bool:
        """Whether the controller has nothing left to do for it."""
        return self.ended is not None or self.deleted

    def begin(self) -> None:
        """Let the controller notice it."""
        self.world.agenda.later(NOTICED, self._start)

    def body(self) -> Json:
        """Return the object as the portal shows it; the switch for hosts is an annotation only."""
        return {**copy.deepcopy(self.document), "status": self._status()}

    def delete(self, how: Deletion) -> None:
        """Delete it, and its pods before it, after it or not at all."""
        self.deleted = True
        if how == "orphan":
            self.world.jobs.forget(self)
            self.world.jobs.orphans += self.pods
            return
        if how == "foreground":
            self.document["metadata"]["deletionTimestamp"] = stamp(self.world.now())
        for pod in list(self.pods):
            pod.leave()
        if how == "background":
            self.world.jobs.forget(self)
            self.world.jobs.orphans += self.pods
        self._forget_when_empty()

    def change(self, document: Json) -> None:
        """Take over what may change: labels, annotations, suspension, time to live."""
        metadata = document.get("metadata") or {}
        for key in ("labels", "annotations"):
            if metadata.get(key) is not None:
                self.document["metadata"][key] = copy.deepcopy(metadata[key])
        for key in ("suspend", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "parallelism"):
            if key in document["spec"]:
                self.spec[key] = document["spec"][key]
        if self.ended is not None:
            self._live_on()
        self._sync()

    def _status(self) -> Json:
        counts = {"active": self.active, "succeeded": self.succeeded, "failed": self.failed}
        status: Json = {key: count for key, count in counts.items() if count}
        if self.started is not None:
            status["startTime"] = stamp(self.world.date_of(self.started))
        if self.condition:
            status["conditions"] = [dict(self.condition)]
        if self.condition.get("type") == "Complete" and self.ended is not None:
            status["completionTime"] = stamp(self.world.date_of(self.ended))
        return status

    def _start(self) -> None:
        if self.over:
            return
        self.started = self.world.at
        if (limit := self.spec.get("activeDeadlineSeconds")) is not None:
            self.world.agenda.later(float(limit) - NOTICED, self._out_of_time)
        self._sync()

    def _follow(self) -> None:
        """React to a change of a pod; failures wait until the pause after the last one is over."""
        self._forget_when_empty()
        if self.over:
            return
        if sum(pod.failed for pod in self.pods) > self.failed:
            wait = max(NOTICED, self._resting_until - self.world.at)
            self.world.agenda.later(wait, self._sync)
        else:
            self._sync()

    def _sync(self) -> None:
        if self.over or self.started is None:
            return
        failed = sum(pod.failed for pod in self.pods)
        self.succeeded = sum(pod.step.phase == "Succeeded" for pod in self.pods)
        if failed > self.failed:
            pause = min(FIRST_PAUSE * PAUSE_GROWTH ** (failed - 1), LONGEST_PAUSE)
            self._resting_until = self.world.at + pause
        self.failed = failed
        limit, restarts = self.spec["backoffLimit"], sum(pod.step.restarts for pod in self.pods)
        # Kubernetes allows a restart fewer than it allows further pods.
        if failed > limit or restarts >= max(1, limit):
            self._fail("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        elif self.succeeded >= self.spec["completions"]:
            self._end({"type": "Complete"})
        else:
            self._create_pods()

    def _create_pods(self) -> None:
        running = [pod for pod in self.pods if not pod.finished and not pod.leaving]
        wanted = min(self.spec["parallelism"], self.spec["completions"] - self.succeeded)
        if self.spec.get("suspend"):
            wanted = 0
            for pod in running:
                pod.leave()
        for _ in range(wanted - len(running)):
            pod = self._make_pod()
            self.pods.append(pod)
            pod.live()
        self.active = wanted

    def _out_of_time(self) -> None:
        if not self.over:
            self._fail("DeadlineExceeded", "Job was active longer than specified deadline")

    def _fail(self, reason: str, message: str) -> None:
        alive = [pod for pod in self.pods if not pod.finished and not pod.leaving]
        self.failed += len(alive)
        self._end({"type": "Failed", "reason": reason, "message": message})
        for pod in alive:
            pod.leave()
        annotations = self.document["metadata"].get("annotations") or {}
        if annotations.get(WHEN_FAILED) == "true":
            owner = self.tenant
            self.world.faults.report(
                Fault(owner.id, owner.name, self.name, message, 2, self.world.now())
            )

    def _end(self, condition: Json) -> None:
        moment = stamp(self.world.now())
        times = {"lastProbeTime": moment, "lastTransitionTime": moment}
        self.condition = {**condition, "status": "True", **times}
        self.ended, self.active = self.world.at, 0
        self._live_on()

    def _live_on(self) -> None:
        """Have the job removed when its time to live is over."""
        left = self.spec.get("ttlSecondsAfterFinished")
        if left is not None and self.ended is not None:
            self.world.agenda.later(self.ended + float(left) - self.world.at, self._expire)

    def _expire(self) -> None:
        if not self.deleted and self.spec.get("ttlSecondsAfterFinished") is not None:
            self.delete("background")

    def _forget_when_empty(self) -> None:
        self.pods = [pod for pod in self.pods if not pod.gone]
        if self.deleted and not self.pods:
            self.world.jobs.forget(self)

    def _make_pod(self) -> JobPod:
        world, pod = self.world, self.spec["template"]["spec"]
        index = world.next_pod_index()
        line = command_line(pod["containers"][0])
        return JobPod(
            world=world,
            tenant_id=self.tenant.id,
            account=self.tenant.name,
            template=Template(
                self.name,
                _images(pod["containers"]),
                _images(pod.get("initContainers") or []),
                allocation_tags=str(self.document.get("AllocationTags") or ""),
            ),
            name=f"{self.name}-{suffix(f'{self.tenant.id}/{index}', 5)}",
            generation=self.name,
            controller=controller_of(self.name),
            index=index,
            changed=self._follow,
            step=Step(0.0, scheduled=False),
            command=world.commands.find(line),
            line=line,
            attempt=self.failed,
            on_failure=pod["restartPolicy"] == "OnFailure",
            grace_seconds=float(pod["terminationGracePeriodSeconds"]),
            limit_seconds=pod.get("activeDeadlineSeconds"),
        )


class Jobs:
    """The jobs of a world, and what the portal does with them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.items: list[Job] = []
        self.orphans: list[JobPod] = []
        """Pods whose job is gone; Kubernetes may be ending them, or not."""
        self.foreign: list[Pod] = []
        self.available = True
        """Whether the portal has the routes."""
        self.denied: frozenset[str] = frozenset()
        """The methods that a permission set denies, such as POST."""
        self.lists_completed = False
        """Whether pods that succeeded stay among the portal's pods."""
        self.drops_failed = False
        """Whether pods of jobs that failed do not stay there either."""
        self.log_gap = 0
        """Every so many-th reply about the log of a job lacks it; 0: none."""
        self.deletion: Deletion = "background"
        """What becomes of the pods of a job that is deleted through the portal."""
        self._logs = itertools.count(1)
        self._numbers = itertools.count(1)

    def add(self, given: Json, tenant: Tenant | None = None) -> Job:
        """Create a job from its object, which must be valid."""
        owner = tenant or self.world.tenants[0]
        uid = guid(f"{owner.id}/job/{next(self._numbers)}")
        document = completed(given, owner, uid, stamp(self.world.now()))
        job = Job(self.world, owner, document, self.world.at)
        self.items.append(job)
        job.begin()
        return job

    def of_tenant(self, tenant: Tenant) -> list[Job]:
        """Return the tenant's jobs."""
        return [job for job in self.items if job.tenant is tenant]

    def find(self, name: str, tenant: Tenant | None = None) -> Job | None:
        """Return the job with exactly that name."""
        owner = tenant or self.world.tenants[0]
        return next((job for job in self.of_tenant(owner) if job.name == name), None)

    def left(self) -> list[str]:
        """Return the names of the jobs that exist, finished ones included."""
        return [job.name for job in self.items if not job.deleted]

    def runs(self, text: str) -> int:
        """Return how often commands were started whose image or command line contains a text."""
        return self.world.commands.runs(text)

    def forget(self, job: Job) -> None:
        """Take a job off the list."""
        if job in self.items:
            self.items.remove(job)

    def pods_of(self, tenant: Tenant) -> list[Pod]:
        """Return all pods of the tenant's jobs, ended ones included."""
        self.orphans = [pod for pod in self.orphans if not pod.gone]
        owned = [pod for job in self.items for pod in job.pods]
        every = [*self.foreign, *owned, *self.orphans]
        return [pod for pod in every if pod.tenant_id == tenant.id]

    def lists(self, pod: Pod) -> bool:
        """Return whether the portal lists a pod: it drops those that have completed."""
        if pod.step.phase == "Succeeded":
            return self.lists_completed
        return not (self.drops_failed and isinstance(pod, JobPod) and pod.finished)

    def loses_log(self, pod: Pod) -> bool:
        """Return whether the reply to this request for a log lacks it."""
        return bool(
            isinstance(pod, JobPod) and self.log_gap and next(self._logs) % self.log_gap == 0
        )


def _images(containers: list[Json]) -> tuple[tuple[str, str], ...]:
    return tuple((str(one["name"]), str(one["image"])) for one in containers)
