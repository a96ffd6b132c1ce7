"""A service: its settings, the changes to them, and its pods."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from tests.sandbox import docker_config
from tests.sandbox.faults import Fault
from tests.sandbox.kubernetes.workload import Workload
from tests.sandbox.pods import Pod, Template
from tests.sandbox.rollout import active, reconcile
from tests.sandbox.stamp import stamp, suffix
from tests.sandbox.strategy import ONE_MORE, Strategy, strategy_of

if TYPE_CHECKING:
    from tests.sandbox.world import Tenant, World

MAIN_CONTAINER = "duplo-main-container"
ActiveCount = Literal[True, False, "flaky", "existing", "ready"]

EVICTION = "The node was low on resource: memory."
# Defaults of a new service; a v2 change that leaves one out sets it to False.
FLAGS = {
    "IsAnyHostAllowed": False,
    "IsLBSyncedDeployment": True,
    "IsReplicaCollocationAllowed": True,
    "IsCloudCredsFromK8sServiceAccount": True,
    "IsUniqueK8sNodeRequired": False,
    "ShouldSpreadAcrossZones": False,
}


class UnknownContainerError(Exception):
    """A container name that the service does not have."""


@dataclass
class Service:
    """A service; the portal calls it a replication controller."""

    world: World
    tenant: Tenant
    name: str
    main_image: str
    replicas: int = 1
    platform: int = 7
    cloud: int = 0
    hpa: tuple[int, int] | None = None
    hpa_replicas: int | None = None
    daemonset: bool = False
    statefulset: bool = False
    asg: str = ""
    allocation_tags: str = ""
    other_docker_config: str = ""
    lb: dict[str, Any] | None = None
    replicas_active: ActiveCount = True
    keeps_history: bool = True
    replicas_prev: int = 0
    extra_config: str = ""
    flags: dict[str, bool] = field(default_factory=lambda: dict(FLAGS))
    restart_time: str | None = None
    image_update_time: str | None = None
    last_deployed_by: str | None = "setup"
    last_deployed_at: datetime | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    members: list[Pod] = field(default_factory=list)
    started: int = 0
    paused: bool = False
    """Whether the Deployment is paused; `resume` ends it."""
    generations: list[str] = field(default_factory=list)
    """Names of the pod templates rolled out so far, including the first."""
    templates: dict[str, Template] = field(default_factory=dict)
    """The same templates by name: a previous ReplicaSet may still create pods."""
    shares: dict[str, int] = field(default_factory=dict)
    """The desired pods of each ReplicaSet."""
    scaled_to: int = 0
    """The count that the shares follow."""
    workload: Workload = field(default_factory=Workload)
    """What Kubernetes keeps about its Deployment or set."""
    looks: int = 99
    """Number of reads of the service since its last change."""
    reconciling: bool = False
    unsettled: bool = False

    @property
    def pods(self) -> list[Pod]:
        """The pods that are listed at this moment."""
        self.world.advance()
        return list(self.members)

    @property
    def starts(self) -> int:
        """Pods created so far, not counting those that the service was added with."""
        self.world.advance()
        return self.started

    @property
    def image(self) -> str:
        """The main container's image at this moment."""
        self.world.advance()
        return self.main_image

    @property
    def wanted(self) -> int:
        """The desired number of pods."""
        if self.replicas == 0:
            return 0
        if self.daemonset or self.asg:
            return len(self.world.hosts)
        if self.hpa is not None:
            return self.hpa[0] if self.hpa_replicas is None else self.hpa_replicas
        return self.replicas

    @property
    def native(self) -> bool:
        """Whether docker hosts run it, not Kubernetes."""
        return self.platform in (0, 5)

    @property
    def strategy(self) -> Strategy:
        """How its Deployment replaces pods."""
        if self.native:
            return ONE_MORE
        return strategy_of(self.other_docker_config, self.world.strategy)

    @property
    def sidecars(self) -> dict[str, str]:
        """Side container images by name."""
        return docker_config.images(self.other_docker_config, docker_config.SIDECARS)

    @property
    def inits(self) -> dict[str, str]:
        """Init container images by name."""
        return docker_config.images(self.other_docker_config, docker_config.INITS)

    @property
    def generation(self) -> str:
        """Name of the current pod template; the same template always has the same name."""
        parts = [
            self.tenant.id,
            self.name,
            self.main_image,
            docker_config.parse(self.other_docker_config),
            docker_config.parse(self.extra_config),
            self.allocation_tags,
            self.restart_time,
        ]
        return _generation(self.name, json.dumps(parts))

    def template(self) -> Template:
        """Return the template of the next pod."""
        return Template(
            name=self.name,
            containers=((self.name, self.main_image), *self.sidecars.items()),
            inits=tuple(self.inits.items()),
            platform=self.platform,
            cloud=self.cloud,
            allocation_tags=self.allocation_tags,
            other_docker_config=self.other_docker_config,
        )

    def establish(self) -> None:
        """Add the first pods, which have been running for a long time."""
        self.last_deployed_at = self.world.now()
        self._remember()
        self._add_generation()
        self.shares, self.scaled_to = {self.generation: self.wanted}, self.wanted
        self.members = [self._make_pod(ordinal, self.generation) for ordinal in range(self.wanted)]
        for pod in list(self.members):
            pod.settle()
        self.workload.changing(self)

    def start_pod(self, ordinal: int, generation: str | None = None) -> Pod:
        """Create one more pod, of the current template unless another is named."""
        pod = self._make_pod(ordinal, generation or self.generation)
        self.members.append(pod)
        self.started += 1
        pod.live()
        return pod

    def revision_of(self, ordinal: int) -> str:
        """Return the template from which a StatefulSet creates a pod that is missing."""
        others = [pod for pod in self.members if pod.ordinal != ordinal]
        previous = [pod for pod in others if pod.generation != self.generation]
        # Pods below those that are replaced already are created anew as they were.
        return previous[0].generation if ordinal < len(previous) else self.generation

    def refused_by_quota(self, generation: str) -> bool:
        """Return whether the tenant's quota forbids one more pod; then there is a fault."""
        quota = self.world.quota
        if quota is None or len(self.world.counted_pods(self.tenant)) < quota:
            return False
        text = (
            f'Error creating: pods "{generation}-{suffix(generation, 5)}" is forbidden: exceeded'
            f" quota: pods, requested: pods=1, used: pods={quota}, limited: pods={quota}"
        )
        resource = self.name if self.cloud == 2 else generation
        now, per_service = self.world.now(), self.cloud == 2
        fault = Fault(self.tenant.id, self.tenant.name, resource, text, 2, now, per_service)
        self.world.faults.report(fault)
        self.world.kubernetes.events.refused(self.tenant.id, generation, text)
        self.workload.refusal = text.removeprefix("Error creating: ")
        return True

    def set_images(self, images: dict[str, str], user: str) -> None:
        """Change images by container name, all of them or none."""
        main, config = self.main_image, self.other_docker_config
        for container, image in images.items():
            if container == MAIN_CONTAINER:
                main = image
                continue
            changed = docker_config.with_image(config, container, image)
            if changed is None:
                raise UnknownContainerError(container)
            config = changed
        self.main_image, self.other_docker_config = main, config
        self.deployed(user)

    def deployed(self, user: str) -> None:
        """Record who changed the images and when, and roll the change out."""
        self.last_deployed_by = user
        self.last_deployed_at = self.world.now()
        self.image_update_time = stamp(self.world.now())
        self._remember()
        if self.world.same_image_restarts and self.generation == self.generations[-1]:
            self.restart_time = self.image_update_time
        self.roll()

    def restart(self) -> None:
        """Replace all pods; the time of the last deploy stays as it is."""
        self.restart_time = stamp(self.world.now())
        self.roll()

    def scale(self, replicas: int) -> None:
        """Change the number of pods."""
        self.replicas = replicas
        self.roll()

    def stop(self) -> None:
        """Remove all pods, and remember how many there were."""
        if self.replicas:
            self.replicas_prev, self.replicas = self.replicas, 0
        self.roll()

    def start(self) -> None:
        """Start as many pods as there were before the stop."""
        if not self.replicas:
            self.replicas, self.replicas_prev = self.replicas_prev or 1, 0
        self.roll()

    def pause(self) -> None:
        """Have the Deployment take no notice of changes to its template."""
        self.paused = True
        reconcile(self)

    def resume(self) -> None:
        """Roll out what was changed while the Deployment was paused."""
        self.paused = False
        reconcile(self)

    def delete_pod(self, pod: Pod) -> None:
        """Delete a pod, as a person or a drain does; its controller makes another."""
        pod.leave()
        reconcile(self)

    def evict(self, pod: Pod | None = None, message: str = EVICTION) -> Pod:
        """Have the kubelet evict a pod, by default the first: the object stays, failed."""
        evicted = pod or active(self)[0]
        evicted.fail("Evicted", message)
        return evicted

    def follow(self) -> None:
        """Have the controllers look again."""
        reconcile(self)

    def roll(self) -> None:
        """Roll out what was just changed."""
        self.looks = 0
        if self.generation != self.generations[-1]:
            self._add_generation()
        reconcile(self)

    def _add_generation(self) -> None:
        self.generations.append(self.generation)
        self.templates[self.generation] = self.template()

    def _remember(self) -> None:
        record = {
            "Image": self.main_image,
            "InitContainerImages": _image_list(self.inits),
            "AdditionalContainerImages": _image_list(self.sidecars),
            "DeployedAt": stamp(self.world.now()),
        }
        known = self.history[-1] if self.history else {}
        if {**record, "DeployedAt": None} != {**known, "DeployedAt": None}:
            self.history.append(record)

    def _make_pod(self, ordinal: int, generation: str) -> Pod:
        index = self.world.next_pod_index()
        return Pod(
            world=self.world,
            tenant_id=self.tenant.id,
            account=self.tenant.name,
            template=self.templates[generation],
            name=self._pod_name(ordinal, index, generation),
            generation=generation,
            controller=self._controller(generation),
            index=index,
            changed=lambda: reconcile(self),
            ordinal=ordinal,
        )

    def _pod_name(self, ordinal: int, index: int, generation: str) -> str:
        if self.statefulset:
            return f"{self.name}-{ordinal}"
        owner = self.name if self.daemonset or self.native else generation
        return f"{owner}-{suffix(f'{self.tenant.id}/{index}', 5)}"

    def _controller(self, generation: str) -> dict[str, str] | None:
        if self.native or self.cloud == 2:
            return None
        if self.statefulset or self.daemonset:
            kind = "StatefulSet" if self.statefulset else "DaemonSet"
            return {"QualifiedType": f"kubernetes:apps/v1/{kind}", "NativeId": self.name}
        return {"QualifiedType": "kubernetes:apps/v1/ReplicaSet", "NativeId": generation}


@lru_cache(4096)
def _generation(name: str, template: str) -> str:
    return f"{name}-{suffix(template, 10)}"


def _image_list(images: dict[str, str]) -> list[dict[str, str]]:
    return [{"ContainerName": name, "ImageName": image} for name, image in images.items()]
