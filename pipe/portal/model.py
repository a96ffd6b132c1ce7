"""What the portal knows, as frozen types.

Field by field this follows the platform's API; `None` and empty texts mean that the portal
did not say, which older and newer versions do at different places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property


class Phase(IntEnum):
    """The platform's codes for the state of a pod."""

    UNKNOWN = 0
    RUNNING = 1
    STOPPED = 2
    PENDING = 3
    WAITING = 4
    DELETE = 5
    DELETED = 6
    FAILED = 7
    SCHEDULING_FAILED = 8
    IMAGE_NOT_FOUND = 9
    EVICTED = 10
    SUCCEEDED = 11


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant that the token may use."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod. `restarts` and the states are None or empty on older portals.

    `waiting` and `message` are Kubernetes' reason and text for a container that does not run;
    `exit_code` is that of its last end.
    """

    name: str
    image: str
    docker_id: str = ""
    restarts: int | None = None
    waiting: str = ""
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True)
class Pod:
    """One pod; `owner` is the service's name, empty when the portal does not say.

    `controller` names what made it: for a Deployment its ReplicaSet, which differs from one
    generation to the next. It is empty on Azure and for native docker.
    """

    name: str
    owner: str
    phase: Phase
    desired: Phase
    host: str
    controller: str
    controller_kind: str
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()

    # A pod is looked at again and again, and is the same object while nothing about it changes.

    @cached_property
    def running(self) -> bool:
        """Whether it runs, and is to go on with that."""
        return self.phase is Phase.RUNNING and self.desired is Phase.RUNNING

    @cached_property
    def waits(self) -> bool:
        """Whether any of its containers waits for something."""
        return any(entry.waiting for entry in (*self.init_containers, *self.containers))

    @cached_property
    def restarts(self) -> int:
        """How often one of its containers was started again, as far as the portal counts it."""
        both = (*self.init_containers, *self.containers)
        return max((entry.restarts or 0 for entry in both), default=0)

    @cached_property
    def body(self) -> str:
        """What stays the same while it lives undisturbed: a restarted container is another."""
        parts = [f"{entry.docker_id}#{entry.restarts or 0}" for entry in self.containers]
        return " ".join([self.name, *parts])


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the platform complains of; `resources` are all the names it is filed under.

    `gravity` grows with how bad it is; the wire's severity codes are in no such order.
    """

    resources: frozenset[str]
    text: str
    gravity: int
    last_seen: str = ""

    @property
    def key(self) -> tuple[frozenset[str], str]:
        """What makes it the same fault at a later look."""
        return self.resources, self.text


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener of a service's load balancer.

    `kind` is the platform's code (1 and 5 application, 6 network, ...); `host` is the
    listener's own name; `port` is the public one, 0 when the portal does not say; `secure`
    means that it takes TLS.
    """

    kind: int
    protocol: str
    port: int
    host: str
    internal: bool
    secure: bool


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    `replicas` is the configured count, `replicas_active` what newer portals count, `least`
    the autoscaler's lower bound (None without autoscaler). `follows_hosts` is true for daemon
    sets and services with one pod per host. `image` is the main container's; `other_images`
    holds side and init containers by name. `flags` are switches that older calls reset unless
    they are sent again. `history` holds the images of each deploy by container, oldest first;
    `docker_config` is the text in which side and init containers are kept. `hosts` are its
    public names, the best first.
    """

    name: str
    image: str
    other_images: Mapping[str, str]
    replicas: int
    replicas_active: int | None
    least: int | None
    follows_hosts: bool
    stateful: bool
    platform: int
    cloud: int
    allocation_tags: str
    deployed_at: str
    deployed_by: str
    restarted_at: str
    history: tuple[Mapping[str, str], ...]
    flags: Mapping[str, bool]
    docker_config: str = ""
    hosts: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()

    @property
    def native_docker(self) -> bool:
        """Whether it runs on plain Docker hosts (AgentPlatform 0 or 5), not Kubernetes."""
        return self.platform in (0, 5)

    @property
    def autoscaled(self) -> bool:
        """Whether something else than `replicas` decides how many pods there are."""
        return self.least is not None

    @property
    def faults_by_service(self) -> bool:
        """Whether faults are filed under the service's name, as on Azure, not the pods'."""
        return self.cloud == 2
