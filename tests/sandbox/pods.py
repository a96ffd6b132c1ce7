"""A pod: its life along the kubelet's steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sandbox.behaviour import WARNING, Behaviour, Complaint, State, Step, established
from tests.sandbox.faults import Fault
from tests.sandbox.kubelet import timeline
from tests.sandbox.pod_body import pod_body
from tests.sandbox.stamp import docker_id

if TYPE_CHECKING:
    from tests.sandbox.world import World

DEFAULT_LOG = ("starting", "listening on :8080")
_NOT_THERE = (
    "Readiness probe errored: rpc error: code = Unknown desc = failed to exec in container:"
    " container is in CONTAINER_EXITED state"
)


@dataclass(frozen=True)
class Template:
    """The template that a pod is created from."""

    name: str
    containers: tuple[tuple[str, str], ...]
    inits: tuple[tuple[str, str], ...] = ()
    platform: int = 7
    cloud: int = 0
    allocation_tags: str = ""
    other_docker_config: str = ""


@dataclass
class Pod:
    """A pod of a tenant."""

    world: World
    tenant_id: str
    account: str
    template: Template
    name: str
    generation: str
    controller: dict[str, str] | None
    index: int
    changed: Callable[[], None]
    ordinal: int = 0
    leaving: bool = False
    left_at: float = 0.0
    """When it was deleted."""
    stopped: bool = False
    """Whether the containers of a leaving pod have ended."""
    awaiting: bool = False
    """Whether a native pod leaves as soon as its successor is up."""
    gone: bool = False
    node_lost: bool = False
    """Whether the node no longer answers: the pod is unready, its containers look as before."""
    step: Step = field(default_factory=established)
    failing: str = ""
    behaviour: Behaviour = field(default_factory=Behaviour)
    complaints: list[Fault] = field(default_factory=list)
    born: float = 0.0
    ready_since: float = 0.0
    _shown: tuple[tuple[Any, ...], str] | None = None

    @property
    def image(self) -> str:
        """The main container's image as the template names it."""
        return self.template.containers[0][1]

    @property
    def ready(self) -> bool:
        """Whether the pod serves requests and is to go on doing so."""
        return self.shown_ready and not self.leaving

    @property
    def shown_ready(self) -> bool:
        """Whether its Ready condition holds: that of a leaving pod does until its end."""
        return self.step.ready and not self.stopped and not self.node_lost

    @property
    def failed(self) -> bool:
        """Whether it has ended for good, and is an object without any container."""
        return self.step.phase == "Failed"

    @property
    def host(self) -> str:
        """The node that it runs on; empty until it is scheduled."""
        return self.world.hosts[self.index % len(self.world.hosts)] if self.step.scheduled else ""

    @property
    def decisive(self) -> str:
        """The container that decides how the pod behaves."""
        return self.failing or self.template.containers[0][0]

    def live(self) -> None:
        """Start the life that the images' behaviours define."""
        self.born = self.world.at
        self.step = Step(0.0, scheduled=False)
        self.world.kubernetes.events.created(self)
        self.failing, self.behaviour = self.world.next_behaviour(self.template)
        wait = self.world.cordoned_until - self.world.at
        if wait > 0 and self.behaviour.fate == "run":
            self.behaviour = replace(
                self.behaviour,
                fate="unschedulable",
                fault="0/3 nodes are available: 3 node(s) were unschedulable.",
                passes_after=wait + self.world.rollout_seconds,
            )
        is_init = any(name == self.failing for name, _ in self.template.inits)
        self._go(timeline(self.behaviour, self.world.rollout_seconds, init=is_init))

    def settle(self) -> None:
        """Have been running for a long time, unless the image's behaviour is to fail."""
        self.born = self.world.at
        self.failing, behaviour = self.world.behaviour_of(self.template)
        if behaviour.fate == "run":
            self.behaviour = behaviour
        else:
            self.live()

    def leave(self) -> None:
        """Start terminating; the pod stays listed for a while."""
        if self.leaving:
            return
        self.leaving, self.left_at = True, self.world.at
        self.world.kubernetes.events.left(self)
        listed = self.world.leave_seconds
        stop = min(self.world.stop_seconds, listed / 2)
        if self.behaviour.stop_seconds is not None and self.step.ready:
            listed += self.behaviour.stop_seconds - stop
            stop = self.behaviour.stop_seconds
        self.world.agenda.later(stop, self._stop)
        self.world.agenda.later(listed, self._vanish)

    def fail(self, reason: str, message: str) -> None:
        """End for good now, as an evicted pod does; the object stays listed."""
        complaint = Complaint(message)
        age = self.world.at - self.born
        ended = Step(age, "Failed", reason=reason, message=message, complaints=(complaint,))
        self._enter(ended, iter(()))

    def _stop(self) -> None:
        if "running" in self.step.state:
            self.stopped = True
            if self.step.ready and self.world.probes_miss:
                self._complain(Complaint(_NOT_THERE, WARNING))

    def _vanish(self) -> None:
        self.gone = True
        self._expire()
        self.changed()

    def _go(self, steps: Iterator[Step]) -> None:
        step = next(steps, None)
        if step is None:
            return
        if step.after <= self.world.at - self.born:
            self._enter(step, steps)
        else:
            wait = self.born + step.after - self.world.at
            self.world.agenda.later(wait, lambda: self._enter(step, steps))

    def _enter(self, step: Step, steps: Iterator[Step]) -> None:
        if self.leaving or self.gone or self.failed:
            return
        if step.ready and not self.step.ready:
            self.ready_since = self.world.at
        # Controllers act on nothing else, and asking them costs time where there are thousands.
        matters = step.ready != self.step.ready or step.phase == "Failed"
        before = self.step
        self.step = replace(step, state=self._filled(step.state), last=self._filled(step.last))
        self.world.kubernetes.events.stepped(self, before)
        for complaint in step.complaints:
            self._complain(complaint)
        if step.passed:
            self._expire()
        self._go(steps)
        if matters:
            self.changed()

    def _fill(self, text: str) -> str:
        images = dict(self.template.inits + self.template.containers)
        words = {
            "{pod}": self.name,
            "{container}": self.decisive,
            "{image}": images.get(self.decisive, self.image),
        }
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text

    def _filled(self, state: State) -> State:
        return {
            kind: {**detail, "message": self._fill(detail["message"])}
            if "message" in detail
            else detail
            for kind, detail in state.items()
        }

    def _complain(self, complaint: Complaint) -> None:
        per_service = self.template.cloud == 2
        text = self._fill(complaint.text)
        self.world.kubernetes.events.complained(self, complaint, text)
        fault = self.world.faults.report(
            Fault(
                self.tenant_id,
                self.account,
                self.template.name if per_service else self.name,
                text,
                complaint.severity,
                self.world.now(),
                per_service,
            )
        )
        if fault not in self.complaints:
            self.complaints.append(fault)

    def _expire(self) -> None:
        # The list lags behind: a fault outlives its cause.
        faults, self.complaints = self.complaints, []
        for fault in faults:
            self.world.agenda.later(self.world.fault_linger, partial(self.world.faults.drop, fault))

    def container_id(self, container: str, restarts: int | None = None) -> str:
        """Return the id that a container has, or had after that many restarts."""
        if restarts is None:
            restarts = self.step.restarts if container == self.decisive else 0
        return docker_id(f"{self.tenant_id}/{self.name}/{self.index}/{container}/{restarts}")

    def owns(self, container_id: str) -> str | None:
        """Return the container that has, or had, that id."""
        for container, _ in self.template.inits + self.template.containers:
            for restart in range(self.step.restarts + 1):
                if container_id and self.container_id(container, restart) == container_id:
                    return container
        return None

    def log(self, container: str) -> list[str]:
        """Return the lines that the container has written."""
        if container == self.failing and self.behaviour.log:
            return list(self.behaviour.log)
        return list(DEFAULT_LOG)

    def text(self) -> str:
        """Return the pod as the portal lists it, rendered again only after a change.

        Thousands are listed.
        """
        world, own = self.world, (self.template, self.name, self.controller, self.index, self.born)
        now = (*own, self.step, self.leaving, self.stopped, self.awaiting, self.node_lost)
        knobs = (world.variant, world.named_pods, world.pod_details, world.image_prefix)
        names = (*knobs, *world.hosts, *world.kubelet_names.items())
        if self._shown is None or self._shown[0] != (*now, *names):
            self._shown = (*now, *names), json.dumps(pod_body(self))
        return self._shown[1]
