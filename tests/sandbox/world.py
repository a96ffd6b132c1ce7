"""The state of the stand-in portal; it moves only when somebody looks at it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from pipe.clock import Clock
from tests.sandbox import docker_config
from tests.sandbox.access import Tenant, Token, tenant_id_for
from tests.sandbox.agenda import Agenda
from tests.sandbox.behaviour import Behaviour
from tests.sandbox.faults import Fault, FaultList
from tests.sandbox.jobs import make_job_pod
from tests.sandbox.kinds import KINDS
from tests.sandbox.kinds.base import Resources
from tests.sandbox.pods import Pod, Template
from tests.sandbox.record import RequestRecord
from tests.sandbox.script import ApiFault, Intrusion
from tests.sandbox.service import ActiveCount, Service

__all__ = ["DEFAULT_TOKEN", "Tenant", "World"]

R = TypeVar("R", bound=Resources[Any])

DEFAULT_TOKEN = "sandbox-token-0123456789abcdef"
VOID_FORMS = ("no-content", "empty", "null", "quotes")


class World:
    """Tenants, services, pods and faults, with the knobs that make trouble."""

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
        """Time from a pod's creation until it runs."""
        self.leave_seconds = 1.5
        """How long a pod stays listed after it was asked to go."""
        self.fault_linger = 30.0
        """How long a fault stays listed after its cause is gone."""
        self.image_prefix: Literal["half", "all", "none"] = "half"
        """Which pods show Docker Hub images in their long form."""
        self.pod_details = True
        """Whether containers tell restarts and last state, as newer portals do."""
        self.named_pods = True
        """Whether pods name their service."""
        self.null_lists = False
        """Whether an empty list is sent as null."""
        self.same_image_restarts = False
        """Whether sending the present image again replaces the pods."""
        self.statefulset_sticks = False
        """Whether a broken StatefulSet pod blocks the way back, as in real Kubernetes."""
        self.missing_status: Literal[404, 405] = 404
        """How an old portal answers a route that it does not have."""
        self.void_forms: tuple[str, ...] = VOID_FORMS
        """The forms in which a call without result is answered, taken in turn."""
        self.hosts = ["ip-10-20-1-9", "ip-10-20-1-23", "ip-10-20-2-40"]
        self.clear()

    def clear(self) -> None:
        """Forget everything but the clock, the token and the knobs."""
        now = self.clock.monotonic()
        self._start, self._date = now, self.clock.now()
        self.agenda = Agenda(now)
        self.tenants: list[Tenant] = []
        self.services: list[Service] = []
        self.job_pods: list[Pod] = []
        self.resources: dict[str, Resources[Any]] = {
            name: kind.resources(self) for name, kind in KINDS.items()
        }
        self.faults = FaultList()
        self.tokens = {self.token: Token(self.token)}
        self.behaviours: dict[str, Behaviour] = {}
        self.log: list[RequestRecord] = []
        self.scripted: list[ApiFault] = []
        self.intrusions: list[Intrusion] = []
        self._pod_index = itertools.count()
        self.voids = itertools.count()
        self.refusals = itertools.count()

    # Time

    @property
    def at(self) -> float:
        """The moment the world has reached, on the clock's monotonic scale."""
        return self.agenda.at

    def now(self) -> datetime:
        """That moment as a date."""
        return self.date_of(self.at)

    def date_of(self, moment: float) -> datetime:
        """The date of a moment on the monotonic scale."""
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

    # Things to put into it

    def add_tenant(self, name: str, tenant_id: str | None = None, *, cloud: int = 0) -> Tenant:
        """A new tenant; its id follows from its name unless given."""
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
        """One more token; without tenants it opens all of them."""
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
        other_docker_config: dict[str, Any] | None = None,
        history: bool = True,
        lb: dict[str, Any] | None = None,
        replicas_active: ActiveCount | None = None,
    ) -> Service:
        """A service whose pods have been up since long ago."""
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
            lb=lb,
            replicas_active=replicas_active,
            keeps_history=history,
        )
        self.services.append(service)
        service.establish()
        return service

    def add_job_pod(self, name: str, image: str, tenant: str = "dev01", *, status: int = 1) -> Pod:
        """A pod of a Kubernetes job, which concerns no service."""
        pod = make_job_pod(self, self.tenant(tenant), name, image, status)
        self.job_pods.append(pod)
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
        """A fault on a pod, or on a service in the shape of Azure; it stays listed."""
        owner = self.tenant(tenant)
        fault = Fault(
            owner.id, owner.name, resource, description, severity, self.now(), per_service
        )
        return self.faults.report(fault)

    def behave(self, image: str, behaviour: Behaviour) -> None:
        """Lay down how pods with this image fare from now on."""
        self.behaviours[image] = behaviour

    def script(self, *faults: ApiFault) -> None:
        """Plan trouble with the API itself."""
        self.scripted.extend(faults)

    def intrude(
        self,
        action: Callable[[World], object],
        after: float | None = None,
        when: tuple[str, str, int] | None = None,
        moment: Literal["before", "after"] = "after",
    ) -> None:
        """Somebody else acts: some seconds from now, or around the nth matching request."""
        if (after is None) == (when is None):
            raise ValueError("say either after=seconds or when=(method, path, nth)")
        if after is not None:

            def act() -> None:
                action(self)

            self.agenda.later(self.clock.monotonic() + after - self.at, act)
        if when is not None:
            method, path, nth = when
            self.intrusions.append(Intrusion(method, path, nth, action, moment))

    # Things to ask it

    def tenant(self, name: str) -> Tenant:
        """The tenant with that name or id."""
        for tenant in self.tenants:
            if name in (tenant.name, tenant.id):
                return tenant
        raise KeyError(f"no tenant {name}")

    def service(self, name: str, tenant: str = "dev01") -> Service:
        """The service with that name."""
        found = self.find_service(self.tenant(tenant), name)
        if found is None:
            raise KeyError(f"no service {name} in {tenant}")
        return found

    def find_service(self, tenant: Tenant, name: str) -> Service | None:
        """The service with exactly that name, if there is one."""
        return next((service for service in self.services_of(tenant) if service.name == name), None)

    def services_of(self, tenant: Tenant) -> list[Service]:
        """The tenant's services."""
        return [service for service in self.services if service.tenant is tenant]

    def pods_of(self, tenant: Tenant) -> list[Pod]:
        """Every pod of the tenant, of services and jobs alike, in no useful order."""
        owned = [pod for service in self.services_of(tenant) for pod in service.members]
        jobs = [pod for pod in self.job_pods if pod.tenant_id == tenant.id]
        return sorted(jobs + owned, key=lambda pod: pod.name)

    def writes(self) -> list[RequestRecord]:
        """The requests that changed something, heard of by the client or not."""
        return [record for record in self.log if record.writes and record.acted]

    def write_attempts(self) -> list[RequestRecord]:
        """The requests that were meant to change something."""
        return [record for record in self.log if record.writes]

    def behaviour_of(self, template: Template) -> tuple[str, Behaviour]:
        """The container that decides how a pod fares, and how."""
        scripted = [
            (container, self.behaviours[image])
            for container, image in template.inits + template.containers
            if image in self.behaviours
        ]
        for container, behaviour in scripted:
            if behaviour.fate != "run":
                return container, behaviour
        return scripted[0] if scripted else (template.containers[0][0], Behaviour())

    def shown_image(self, image: str, index: int) -> str:
        """The image as a pod shows it."""
        first = image.split("/", maxsplit=1)[0]
        registry = "/" in image and ("." in first or ":" in first or first == "localhost")
        plain = self.image_prefix == "none" or (self.image_prefix == "half" and index % 2 == 0)
        if registry or plain:
            return image
        return f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"

    def next_pod_index(self) -> int:
        """A number that no pod had before."""
        return next(self._pod_index)
