"""The state of the sandbox; it catches up with the clock whenever it is read."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from pipe.clock import Clock
from tests.kubernetes.portal_view import DEFAULT, Variant
from tests.sandbox import docker_config
from tests.sandbox.access import AwsAccess, Tenant, Token, tenant_id_for
from tests.sandbox.agenda import Agenda
from tests.sandbox.behaviour import Behaviour
from tests.sandbox.commands import Command, Commands
from tests.sandbox.faults import Fault, FaultList
from tests.sandbox.job_pods import make_foreign_pod
from tests.sandbox.jobs import Jobs
from tests.sandbox.kinds import KINDS
from tests.sandbox.kinds.base import Resources
from tests.sandbox.kubernetes.cluster import Cluster
from tests.sandbox.pods import Pod, Template
from tests.sandbox.record import RequestRecord
from tests.sandbox.script import ApiFault, Intrusion
from tests.sandbox.service import ActiveCount, Service
from tests.sandbox.strategy import Strategy

__all__ = ["DEFAULT_TOKEN", "Tenant", "World"]

R = TypeVar("R", bound=Resources[Any])

DEFAULT_TOKEN = "sandbox-token-0123456789abcdef"
VOID_FORMS = ("no-content", "empty", "null", "quotes")


class World:
    """Tenants, services, pods and faults, with settings for the portal's quirks."""

    def __init__(
        self,
        clock: Clock,
        portal: Literal["new", "old"] = "new",
        token: str = DEFAULT_TOKEN,
    ) -> None:
        self.clock = clock
        self.portal = portal
        self.token = token
        self.lock = threading.RLock()
        self.listeners: list[Callable[[RequestRecord], None]] = []
        self.rollout_seconds = 2.0
        """Seconds from a pod's creation until it runs and is ready."""
        self.stop_seconds = 1.0
        """Seconds from a pod's deletion until its containers have ended."""
        self.leave_seconds = 6.0
        """Seconds that a terminating pod stays listed."""
        self.probes_miss = True
        """Whether readiness probes meet containers that have just ended: a warning for each."""
        self.strategy = Strategy()
        """How Deployments replace pods that do not say it themselves."""
        self.variant: Variant = DEFAULT
        """What is not known of the portal: how it shows readiness, reasons and states."""
        self.fault_linger = 30.0
        """Seconds that a fault stays listed after its cause is gone."""
        self.image_prefix: Literal["half", "all", "none"] = "half"
        """Pods that show Docker Hub images in their long form."""
        self.pod_details = True
        """Whether containers show restarts and last state, as newer portals do."""
        self.named_pods = True
        """Whether pods name their service."""
        self.null_lists = False
        """Whether an empty list is sent as null."""
        self.same_image_restarts = False
        """Whether setting the current image again replaces the pods."""
        self.missing_status: Literal[404, 405] = 404
        """Status of an old portal for a route that it does not have."""
        self.void_forms: tuple[str, ...] = VOID_FORMS
        """The forms of a response without a result, used in turn."""
        self.hosts = ["ip-10-20-1-9", "ip-10-20-1-23", "ip-10-20-2-40"]
        self.kubernetes = Cluster(self)
        """The API of Kubernetes, to which the portal hands out no access unless it is enabled."""
        self.clear()

    def clear(self) -> None:
        """Forget everything but the clock, the token and the settings."""
        now = self.clock.monotonic()
        self._start, self._date = now, self.clock.now()
        self.agenda = Agenda(now)
        self.tenants: list[Tenant] = []
        self.services: list[Service] = []
        self.jobs = Jobs(self)
        self.commands = Commands()
        self.resources: dict[str, Resources[Any]] = {
            name: kind.resources(self) for name, kind in KINDS.items()
        }
        self.faults = FaultList()
        self.kubernetes.clear()
        self.quota: int | None = None
        self.cordoned_until = now
        self.kubelet_names: dict[str, str] = {}
        self.tokens = {self.token: Token(self.token)}
        self.aws_access = AwsAccess()
        self.behaviours: dict[str, Behaviour] = {}
        self._lives: Counter[str] = Counter()
        self.log: list[RequestRecord] = []
        self.scripted: list[ApiFault] = []
        self.intrusions: list[Intrusion] = []
        self._pod_index = itertools.count()
        self.voids = itertools.count()
        self.refusals = itertools.count()

    # Time

    @property
    def at(self) -> float:
        """The time that the world has reached, on the clock's monotonic scale."""
        return self.agenda.at

    def now(self) -> datetime:
        """Return that time as a date."""
        return self.date_of(self.at)

    def date_of(self, moment: float) -> datetime:
        """Return the date of a time on the monotonic scale."""
        return self._date + timedelta(seconds=moment - self._start)

    def advance(self) -> None:
        """Catch up with the clock."""
        with self.lock:
            self.agenda.advance(self.clock.monotonic())

    # Targets of other kinds than services

    def __getattr__(self, name: str) -> Any:
        """Return the targets of the kind with that attribute, such as `world.ecs`."""
        for kind in KINDS.values():
            if kind.attribute == name:
                return self.resources_of(kind.resources)
        raise AttributeError(name)

    def resources_of(self, resources: type[R]) -> R:
        """Return the targets of one kind by the type that holds them."""
        return next(one for one in self.resources.values() if isinstance(one, resources))

    # Contents

    def add_tenant(self, name: str, tenant_id: str | None = None, *, cloud: int = 0) -> Tenant:
        """Add a tenant; its id is derived from its name unless given."""
        tenant = Tenant(name, tenant_id or tenant_id_for(name), cloud)
        self.tenants.append(tenant)
        return tenant

    def add_token(
        self,
        value: str,
        tenants: list[str] | None = None,
        read_only: bool = False,
        user: str = "ci-bot",
    ) -> Token:
        """Add a token; without tenants it may use all of them."""
        token = Token(value, user, tenants, read_only)
        self.tokens[value] = token
        return token

    def add_service(
        self,
        name: str,
        image: str,
        tenant: str = "dev01",
        replicas: int = 1,
        *,
        platform: int = 7,
        cloud: int = 0,
        hpa: tuple[int, int] | None = None,
        hpa_replicas: int | None = None,
        daemonset: bool = False,
        asg: str = "",
        statefulset: bool = False,
        allocation_tags: str = "",
        stopped: bool = False,
        sidecars: dict[str, str] | None = None,
        inits: dict[str, str] | None = None,
        other_docker_config: dict[str, Any] | str | None = None,
        extra_config: str = "",
        history: bool = True,
        lb: dict[str, Any] | None = None,
        replicas_active: ActiveCount | None = None,
    ) -> Service:
        """Add a service whose pods have been running for a long time."""
        if replicas_active is None:
            replicas_active = self.portal == "new"
        service = Service(
            world=self,
            tenant=self.tenant(tenant),
            name=name,
            main_image=image,
            replicas=0 if stopped else replicas,
            replicas_prev=replicas if stopped else 0,
            platform=platform,
            cloud=cloud,
            hpa=hpa,
            hpa_replicas=hpa_replicas,
            daemonset=daemonset,
            statefulset=statefulset,
            asg=asg,
            allocation_tags=allocation_tags,
            other_docker_config=docker_config.compose(sidecars, inits, other_docker_config),
            extra_config=extra_config,
            lb=lb,
            replicas_active=replicas_active,
            keeps_history=history,
        )
        self.services.append(service)
        service.establish()
        return service

    def add_job_pod(self, name: str, image: str, tenant: str = "dev01", *, status: int = 1) -> Pod:
        """Add a pod of a Kubernetes job of others, which stays as it is."""
        pod = make_foreign_pod(self, self.tenant(tenant), name, image, status)
        self.jobs.foreign.append(pod)
        return pod

    def add_fault(
        self,
        resource: str,
        description: str,
        tenant: str = "dev01",
        *,
        severity: int = 2,
        per_service: bool = False,
    ) -> Fault:
        """Add a fault of a pod, or of a service in the form of Azure; it stays listed."""
        owner = self.tenant(tenant)
        fault = Fault(
            owner.id, owner.name, resource, description, severity, self.now(), per_service
        )
        return self.faults.report(fault)

    def behave(self, image: str, behaviour: Behaviour) -> None:
        """Set how pods with this image behave from now on."""
        self.behaviours[image] = behaviour

    def command(self, text: str, command: Command) -> None:
        """Set how jobs and tasks go from now on whose image or command contains a text."""
        self.commands.script(text, command)

    def show_image_as(self, image: str, shown: str) -> None:
        """Have the kubelet know an image by another name: a tag or id of the same content."""
        self.kubelet_names[image] = shown

    def limit_pods(self, quota: int | None) -> None:
        """Set how many pods a tenant may have, or lift the limit."""
        self.quota = quota
        for service in self.services:
            service.follow()

    def drain(self, seconds: float) -> None:
        """Delete all pods and let none be scheduled for that many seconds."""
        self.cordoned_until = self.at + seconds
        for service in self.services:
            for pod in list(service.members):
                pod.leave()
            service.follow()

    def lose_nodes(self, lost: bool = True) -> None:
        """Have the nodes stop answering, or answer again; pods stay listed, unready."""
        for service in self.services:
            for pod in service.members:
                pod.node_lost = lost
            service.follow()

    def script(self, *faults: ApiFault) -> None:
        """Schedule faults of the API itself."""
        self.scripted.extend(faults)

    def intrude(
        self,
        action: Callable[[World], object],
        after: float | None = None,
        when: tuple[str, str, int] | None = None,
        moment: Literal["before", "after"] = "after",
    ) -> None:
        """Have others act: some seconds from now, or around the nth matching request."""
        if (after is None) == (when is None):
            raise ValueError("give either after=seconds or when=(method, path, nth)")
        if after is not None:

            def act() -> None:
                action(self)

            self.agenda.later(self.clock.monotonic() + after - self.at, act)
        if when is not None:
            method, path, nth = when
            self.intrusions.append(Intrusion(method, path, nth, action, moment))

    # Queries

    def tenant(self, name: str) -> Tenant:
        """Return the tenant with that name or id."""
        for tenant in self.tenants:
            if name in (tenant.name, tenant.id):
                return tenant
        raise KeyError(f"no tenant {name}")

    def service(self, name: str, tenant: str = "dev01") -> Service:
        """Return the service with that name."""
        service = self.find_service(self.tenant(tenant), name)
        if service is None:
            raise KeyError(f"no service {name} in {tenant}")
        return service

    def find_service(self, tenant: Tenant, name: str) -> Service | None:
        """Return the service with exactly that name, if there is one."""
        return next((service for service in self.services_of(tenant) if service.name == name), None)

    def services_of(self, tenant: Tenant) -> list[Service]:
        """Return the tenant's services."""
        return [service for service in self.services if service.tenant is tenant]

    def pods_of(self, tenant: Tenant) -> list[Pod]:
        """Return all pods of the tenant, of services and jobs alike, in no useful order."""
        owned = [pod for service in self.services_of(tenant) for pod in service.members]
        return sorted(self.jobs.pods_of(tenant) + owned, key=lambda pod: pod.name)

    def listed_pods(self, tenant: Tenant) -> list[Pod]:
        """Return the pods that the portal lists."""
        return [pod for pod in self.pods_of(tenant) if self.jobs.lists(pod)]

    def counted_pods(self, tenant: Tenant) -> list[Pod]:
        """Return the pods that a quota counts: terminating ones, but none that have ended."""
        ended = ("Failed", "Succeeded")
        return [pod for pod in self.pods_of(tenant) if pod.step.phase not in ended]

    def writes(self) -> list[RequestRecord]:
        """Return the requests that changed something, whatever the client received."""
        return [record for record in self.log if record.writes and record.acted]

    def write_attempts(self) -> list[RequestRecord]:
        """Return the requests that were meant to change something."""
        return [record for record in self.log if record.writes]

    def behaviour_of(self, template: Template) -> tuple[str, Behaviour]:
        """Return the container that decides how a pod behaves, and its behaviour."""
        scripted = [
            (container, self.behaviours[image])
            for container, image in template.inits + template.containers
            if image in self.behaviours
        ]
        for container, behaviour in scripted:
            if behaviour.fate != "run":
                return container, behaviour
        return scripted[0] if scripted else (template.containers[0][0], Behaviour())

    def next_behaviour(self, template: Template) -> tuple[str, Behaviour]:
        """Return the same for one more pod: some behaviours are those of a few pods only."""
        container, behaviour = self.behaviour_of(template)
        if behaviour.pods is None:
            return container, behaviour
        image = dict(template.inits + template.containers)[container]
        self._lives[image] += 1
        return container, behaviour if self._lives[image] <= behaviour.pods else Behaviour()

    def shown_image(self, image: str, index: int) -> str:
        """Return the image as a pod shows it."""
        if image in self.kubelet_names:
            return self.kubelet_names[image]
        first = image.split("/", maxsplit=1)[0]
        registry = "/" in image and ("." in first or ":" in first or first == "localhost")
        plain = self.image_prefix == "none" or (self.image_prefix == "half" and index % 2 == 0)
        if registry or plain:
            return image
        return f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"

    def next_pod_index(self) -> int:
        """Return a number that no pod has had."""
        return next(self._pod_index)
