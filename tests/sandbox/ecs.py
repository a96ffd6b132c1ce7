"""ECS: task definitions by revision, and services that roll from one to the next."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.stamp import stamp
from tests.sandbox.task_definition import ACCOUNT, ADDED, as_aws_answers, check, usual_definition

if TYPE_CHECKING:
    from tests.sandbox.world import Tenant, World

BREAKS_AFTER = 3
"""Failed tasks after which the circuit breaker gives up."""
FAILED_LISTED = 30.0
"""How long a failed deployment stays listed."""


@dataclass
class Deployment:
    """One deployment of a service."""

    number: int
    definition: str
    desired: int
    primary: bool = True
    state: str = "IN_PROGRESS"
    reason: str = "ECS deployment in progress."
    running: int = 0
    pending: int = 0
    failed: int = 0

    def body(self, now: str) -> dict[str, Any]:
        """The deployment as AWS shows it."""
        return {
            "Id": f"ecs-svc/{self.number:019d}",
            "Status": "PRIMARY" if self.primary else "ACTIVE",
            "TaskDefinition": self.definition,
            "RolloutState": {"Value": self.state},
            "RolloutStateReason": self.reason,
            "DesiredCount": self.desired if self.primary else 0,
            "RunningCount": self.running,
            "PendingCount": self.pending,
            "FailedTasks": self.failed,
            "CreatedAt": now,
            "UpdatedAt": now,
        }


@dataclass
class EcsService:
    """A service, its deployments and what it has to tell; `document` is the portal's own part."""

    shelf: EcsShelf
    tenant: Tenant
    name: str
    document: dict[str, Any]
    deployments: list[Deployment] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def definition(self) -> str:
        """The ARN that the service asks for."""
        self.shelf.world.advance()
        return str(self.document["TaskDefinition"])

    @property
    def image(self) -> str:
        """The first container's image of that revision."""
        return str(self.shelf.definitions[self.definition]["ContainerDefinitions"][0]["Image"])

    def update(self, document: dict[str, Any]) -> None:
        """Take over what was sent, and roll when it names another revision."""
        arn = str(document["TaskDefinition"])
        changed = arn != self.document["TaskDefinition"]
        self.document = {**self.document, **document}
        self.document["LastDeployedAt"] = stamp(self.shelf.world.now())
        if changed:
            self.roll(arn)

    def roll(self, arn: str, *, by: str = "") -> None:
        """Begin a deployment of that revision."""
        world = self.shelf.world
        for one in self.deployments:
            one.primary = False
        wanted = int(self.document["Replicas"])
        fresh = Deployment(self.shelf.number(), arn, wanted, pending=wanted)
        self.deployments.insert(0, fresh)
        self.note(by or f"has started {wanted} tasks.")
        behaviour = self.shelf.behaviour_of(arn)
        seconds = world.rollout_seconds if behaviour.seconds is None else behaviour.seconds
        if behaviour.fate == "run":
            world.agenda.later(seconds, lambda: self._up(fresh))
        else:
            world.agenda.later(seconds, lambda: self._fail(fresh, behaviour))

    def note(self, text: str) -> None:
        """Tell something."""
        now = stamp(self.shelf.world.now())
        self.events.insert(0, {"CreatedAt": now, "Message": f"(service {self.name}) {text}"})

    def _up(self, fresh: Deployment) -> None:
        if fresh not in self.deployments or not fresh.primary:
            return
        fresh.running, fresh.pending = fresh.desired, 0
        self.note("registered its tasks.")
        self.shelf.world.agenda.later(self.shelf.world.leave_seconds, lambda: self._settle(fresh))

    def _settle(self, fresh: Deployment) -> None:
        if fresh not in self.deployments or not fresh.primary:
            return
        self.deployments = [one for one in self.deployments if one.primary or one.failed]
        fresh.state, fresh.reason = "COMPLETED", "ECS deployment completed."
        self.note("has reached a steady state.")

    def _fail(self, fresh: Deployment, behaviour: Behaviour) -> None:
        if fresh not in self.deployments or not fresh.primary:
            return
        fresh.failed += 1
        fresh.pending = 0
        self.note(f"task failed: {(behaviour.log or ['essential container exited'])[0]}")
        breaker = self.document["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
        if breaker["Enable"] and fresh.failed >= BREAKS_AFTER:
            self._break(fresh, back=bool(breaker["Rollback"]))
            return
        again = behaviour.backoff if not breaker["Enable"] else 1.0
        self.shelf.world.agenda.later(again, lambda: self._fail(fresh, behaviour))

    def _break(self, fresh: Deployment, *, back: bool) -> None:
        fresh.state = "FAILED"
        fresh.reason = "ECS deployment circuit breaker: tasks failed to start."
        self.note("deployment failed: tasks failed to start.")
        self.shelf.world.agenda.later(FAILED_LISTED, lambda: self._forget(fresh))
        before = next((one for one in self.deployments if one is not fresh), None)
        if back and before is not None:
            self.document["TaskDefinition"] = before.definition
            self.roll(before.definition, by="rolling back to the deployment before.")
            again = self.deployments[0]
            again.running, again.pending = before.running, 0

    def _forget(self, failed: Deployment) -> None:
        self.deployments = [one for one in self.deployments if one is not failed or one.primary]

    def duplo_body(self) -> dict[str, Any]:
        """The portal's own part."""
        return copy.deepcopy(self.document)

    def aws_body(self) -> dict[str, Any]:
        """What AWS tells."""
        now = stamp(self.shelf.world.now())
        return {
            "ServiceName": f"duploservices-{self.tenant.name}-{self.name}",
            "TaskDefinition": self.document["TaskDefinition"],
            "Deployments": [one.body(now) for one in self.deployments],
            "Events": list(self.events),
        }


class EcsShelf:
    """Everything of ECS in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.definitions: dict[str, dict[str, Any]] = {}
        self.services: list[EcsService] = []
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """A number that nothing had before."""
        return next(self._numbers)

    def add(
        self,
        name: str,
        image: str,
        tenant: str = "dev01",
        replicas: int = 2,
        *,
        containers: dict[str, str] | None = None,
        breaker: tuple[bool, bool] = (True, True),
        definition: dict[str, Any] | None = None,
    ) -> EcsService:
        """A service that has been running since long ago."""
        owner = self.world.tenant(tenant)
        given = definition or usual_definition({"default": image, **(containers or {})})
        arn = self.register({**given, "Family": f"duploservices-{tenant}-{name}"}, owner)
        document = {
            "Name": name,
            "TaskDefinition": arn,
            "Replicas": replicas,
            "DnsPrfx": f"{name}-{tenant}",
            "HealthCheckGracePeriodSeconds": 0,
            "OldTaskDefinitionBufferSize": 10,
            "IsTargetGroupOnly": False,
            "LBConfigurations": [],
            "CapacityProviderStrategy": [],
            "DeploymentConfiguration": {
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "DeploymentCircuitBreaker": {"Enable": breaker[0], "Rollback": breaker[1]},
            },
        }
        service = EcsService(self, owner, name, document)
        old = Deployment(self.number(), arn, replicas, state="COMPLETED", running=replicas)
        service.deployments = [old]
        self.services.append(service)
        return service

    def register(self, given: dict[str, Any], tenant: Tenant) -> str:
        """One more revision; raises `ValueError` where AWS would refuse."""
        check(given)
        family = str(given["Family"])
        revision = len(self.revisions(family)) + 1
        arn = f"arn:aws:ecs:{tenant.region}:{ACCOUNT}:task-definition/{family}:{revision}"
        self.definitions[arn] = {
            **as_aws_answers(given),
            **ADDED,
            "TaskDefinitionArn": arn,
            "Revision": revision,
            "Status": {"Value": "ACTIVE"},
            "RegisteredAt": stamp(self.world.now()),
        }
        return arn

    def revisions(self, family: str) -> list[str]:
        """The ARNs of a family, oldest first."""
        return [arn for arn, one in self.definitions.items() if one["Family"] == family]

    def of_tenant(self, tenant: Tenant) -> list[EcsService]:
        """The tenant's services."""
        return [one for one in self.services if one.tenant is tenant]

    def find(self, tenant: Tenant, name: str) -> EcsService | None:
        """The service of that name."""
        return next((one for one in self.of_tenant(tenant) if one.name == name), None)

    def behaviour_of(self, arn: str) -> Behaviour:
        """How tasks of that revision fare."""
        images = [one["Image"] for one in self.definitions[arn]["ContainerDefinitions"]]
        known = [self.world.behaviours[image] for image in images if image in self.world.behaviours]
        return next((one for one in known if one.fate != "run"), next(iter(known), Behaviour()))
