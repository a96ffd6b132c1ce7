"""A pod: its life along a behaviour's steps, and how the portal shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.sandbox.behaviour import (
    DELETE,
    PENDING,
    RUNNING,
    Behaviour,
    Step,
    established,
    timeline,
)
from tests.sandbox.faults import Fault
from tests.sandbox.stamp import docker_id, guid, stamp

if TYPE_CHECKING:
    from tests.sandbox.world import World

DEFAULT_LOG = ("starting", "listening on :8080")


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
    awaiting: bool = False
    """Whether a native pod leaves as soon as its successor is up."""
    gone: bool = False
    step: Step = field(default_factory=established)
    failing: str = ""
    behaviour: Behaviour = field(default_factory=Behaviour)
    complaints: list[Fault] = field(default_factory=list)
    born: float = 0.0
    _shown: tuple[tuple[Any, ...], str] | None = None

    @property
    def image(self) -> str:
        """The main container's image as the template names it."""
        return self.template.containers[0][1]

    @property
    def status(self) -> int:
        """The current status as the portal shows it."""
        return PENDING if self.awaiting and not self.leaving else self.step.status

    @property
    def ready(self) -> bool:
        """Whether the pod serves requests."""
        return self.step.ready and not self.leaving

    @property
    def host(self) -> str:
        """The node that it runs on; empty until it is scheduled."""
        return self.world.hosts[self.index % len(self.world.hosts)] if self.step.scheduled else ""

    def live(self) -> None:
        """Start the life that the images' behaviours define."""
        self.born = self.world.at
        self.failing, self.behaviour = self.world.behaviour_of(self.template)
        self._go(timeline(self.behaviour, self.world.rollout_seconds))

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
        if not self.leaving:
            self.leaving = True
            self.world.agenda.later(self.world.leave_seconds, self._vanish)

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
        if self.leaving or self.gone:
            return
        self.step = step
        if step.complaint is not None:
            self._complain(step)
        if step.passed:
            self._expire()
        self._go(steps)
        self.changed()

    def _complain(self, step: Step) -> None:
        assert step.complaint is not None
        images = dict(self.template.inits + self.template.containers)
        text = step.complaint.text.format(
            pod=self.name, container=self.failing, image=images.get(self.failing, self.image)
        )
        per_service = self.template.cloud == 2
        fault = self.world.faults.report(
            Fault(
                self.tenant_id,
                self.account,
                self.template.name if per_service else self.name,
                text,
                step.complaint.severity,
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

    def container_id(self, container: str) -> str:
        """Return the id of the running container; it changes with a restart."""
        if not self.step.started and container == self.failing:
            return ""
        if not self.step.scheduled or not (self.step.started or self.step.status != PENDING):
            return ""
        restarts = self.step.restarts if container == self.failing else 0
        return docker_id(f"{self.tenant_id}/{self.name}/{self.index}/{container}/{restarts}")

    def owns(self, container_id: str) -> str | None:
        """Return the container that has, or had, that id."""
        for container, _ in self.template.inits + self.template.containers:
            for restart in range(self.step.restarts + 1):
                seed = f"{self.tenant_id}/{self.name}/{self.index}/{container}/{restart}"
                if container_id and docker_id(seed) == container_id:
                    return container
        return None

    def log(self, container: str) -> list[str]:
        """Return the lines that the container has written."""
        if container == self.failing and self.behaviour.log:
            return list(self.behaviour.log)
        return list(DEFAULT_LOG)

    def body(self) -> dict[str, Any]:
        """Return the pod as the portal lists it."""
        inits = [self._container(name, image) for name, image in self.template.inits]
        return {
            "Name": self.template.name if self.world.named_pods else None,
            "InstanceId": self.name,
            "TenantId": self.tenant_id,
            "State": None,
            "CurrentStatus": self.status,
            "DesiredStatus": DELETE if self.leaving or self.awaiting else RUNNING,
            "CurrentNetworkStatus": RUNNING if self.step.started else PENDING,
            "ReplicaId": self.ordinal,
            "Host": self.host,
            "ControlledBy": self.controller,
            "Containers": [
                self._container(name, image) for name, image in self.template.containers
            ],
            "InitContainers": inits,
            "Interfaces": [
                {
                    "NetworkId": "default",
                    "IpAddress": f"10.20.1.{self.index % 250 + 2}" if self.step.scheduled else None,
                    "ExternalAddress": None,
                }
            ],
            "AgentPlatform": self.template.platform,
            "Cloud": self.template.cloud,
            "IsLbRegistered": self.ready,
            "IsAwaitingLBDeregistration": self.leaving,
            "IsReadOnly": False,
            "Version": guid(f"{self.tenant_id}/{self.generation}"),
            "BaseVersion": None,
            "LbConfigsVersion": None,
            "AllocationTags": self.template.allocation_tags,
            "OtherDockerConfig": self.template.other_docker_config,
            "OtherDockerHostConfig": "",
            "ExtraConfig": "",
            "Volumes": "",
            "Commands": [],
            "DeviceIds": [],
            "LBConfigurations": {},
            "LBCCount": 0,
            "ImageUpdateTime": None,
            "RestartTime": None,
            "StartTime": stamp(self.world.date_of(self.born)),
        }

    def text(self) -> str:
        """Return the same as JSON, rendered again only after a change: thousands are listed."""
        world, own = self.world, (self.template, self.name, self.controller, self.index, self.born)
        now = (*own, self.step, self.leaving, self.awaiting)
        knobs = (world.named_pods, world.pod_details, world.image_prefix, *world.hosts)
        if self._shown is None or self._shown[0] != (*now, *knobs):
            self._shown = (*now, *knobs), json.dumps(self.body())
        return self._shown[1]

    def _container(self, name: str, image: str) -> dict[str, Any]:
        body = {
            "Name": name,
            "Image": self.world.shown_image(image, self.index),
            "DockerId": self.container_id(name),
            "InstanceId": self.name,
            "TenantId": self.tenant_id,
            "State": None,
        }
        if not self.world.pod_details:
            return body
        mine = name == (self.failing or self.template.containers[0][0])
        fine = {"running": {}} if self.container_id(name) else self.step.state
        return {
            **body,
            "RestartCount": self.step.restarts if mine else 0,
            "LastContainerState": self.step.state if mine else fine,
        }
