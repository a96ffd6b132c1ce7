"""ECS services: task definitions by revision, and deployments from one to the next."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.current import current_tenant, current_world, sent_object
from tests.sandbox.kinds.base import Resources, SandboxKind
from tests.sandbox.replies import answer, listing, refusal, unknown, void
from tests.sandbox.routes import V2, V3
from tests.sandbox.stamp import stamp
from tests.sandbox.task_definition import ACCOUNT, ADDED, as_aws_answers, check, usual_definition

if TYPE_CHECKING:
    from tests.sandbox.world import Tenant, World

BREAKS_AFTER = 3
"""Failed tasks after which the circuit breaker gives up."""
FAILED_LISTED = 30.0
"""Seconds that a failed deployment stays listed."""
_ECS = f"{V3}/aws/ecs"


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
        """Return the deployment as AWS shows it."""
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
    """A service with its deployments and events; `document` is the portal's own part."""

    ecs: EcsServices
    tenant: Tenant
    name: str
    document: dict[str, Any]
    deployments: list[Deployment] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def definition(self) -> str:
        """The ARN of the revision that the service is set to."""
        self.ecs.world.advance()
        return str(self.document["TaskDefinition"])

    @property
    def image(self) -> str:
        """The first container's image of that revision."""
        return str(self.ecs.definitions[self.definition]["ContainerDefinitions"][0]["Image"])

    def update(self, document: dict[str, Any]) -> None:
        """Take over the document, and roll when it names another revision."""
        arn = str(document["TaskDefinition"])
        changed = arn != self.document["TaskDefinition"]
        self.document = {**self.document, **document}
        self.document["LastDeployedAt"] = stamp(self.ecs.world.now())
        if changed:
            self.roll(arn)

    def roll(self, arn: str, *, event: str = "") -> None:
        """Start a deployment of that revision."""
        world = self.ecs.world
        for one in self.deployments:
            one.primary = False
        replicas = int(self.document["Replicas"])
        new = Deployment(self.ecs.number(), arn, replicas, pending=replicas)
        self.deployments.insert(0, new)
        self.note(event or f"has started {replicas} tasks.")
        behaviour = self.ecs.behaviour_of(arn)
        seconds = world.rollout_seconds if behaviour.seconds is None else behaviour.seconds
        if behaviour.fate == "run":
            world.agenda.later(seconds, lambda: self._up(new))
        else:
            world.agenda.later(seconds, lambda: self._fail(new, behaviour))

    def note(self, text: str) -> None:
        """Add an event."""
        now = stamp(self.ecs.world.now())
        self.events.insert(0, {"CreatedAt": now, "Message": f"(service {self.name}) {text}"})

    def _up(self, new: Deployment) -> None:
        if new not in self.deployments or not new.primary:
            return
        new.running, new.pending = new.desired, 0
        self.note("registered its tasks.")
        self.ecs.world.agenda.later(self.ecs.world.leave_seconds, lambda: self._settle(new))

    def _settle(self, new: Deployment) -> None:
        if new not in self.deployments or not new.primary:
            return
        self.deployments = [one for one in self.deployments if one.primary or one.failed]
        new.state, new.reason = "COMPLETED", "ECS deployment completed."
        self.note("has reached a steady state.")

    def _fail(self, new: Deployment, behaviour: Behaviour) -> None:
        if new not in self.deployments or not new.primary:
            return
        new.failed += 1
        new.pending = 0
        self.note(f"task failed: {(behaviour.log or ['essential container exited'])[0]}")
        breaker = self.document["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
        if breaker["Enable"] and new.failed >= BREAKS_AFTER:
            self._break(new, roll_back=bool(breaker["Rollback"]))
            return
        pause = behaviour.backoff if not breaker["Enable"] else 1.0
        self.ecs.world.agenda.later(pause, lambda: self._fail(new, behaviour))

    def _break(self, new: Deployment, *, roll_back: bool) -> None:
        new.state = "FAILED"
        new.reason = "ECS deployment circuit breaker: tasks failed to start."
        self.note("deployment failed: tasks failed to start.")
        self.ecs.world.agenda.later(FAILED_LISTED, lambda: self._forget(new))
        previous = next((one for one in self.deployments if one is not new), None)
        if roll_back and previous is not None:
            self.document["TaskDefinition"] = previous.definition
            self.roll(previous.definition, event="rolling back to the previous deployment.")
            restored = self.deployments[0]
            restored.running, restored.pending = previous.running, 0

    def _forget(self, failed: Deployment) -> None:
        self.deployments = [one for one in self.deployments if one is not failed or one.primary]

    def duplo_body(self) -> dict[str, Any]:
        """Return the portal's own part."""
        return copy.deepcopy(self.document)

    def aws_body(self) -> dict[str, Any]:
        """Return what AWS shows of the service."""
        now = stamp(self.ecs.world.now())
        return {
            "ServiceName": f"duploservices-{self.tenant.name}-{self.name}",
            "TaskDefinition": self.document["TaskDefinition"],
            "Deployments": [one.body(now) for one in self.deployments],
            "Events": list(self.events),
        }


class EcsServices(Resources[EcsService]):
    """All ECS services of a world, and every task definition."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.definitions: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def number(self) -> int:
        """Return a number that is not in use yet."""
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
        """Add a service that has been running for a long time."""
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
        service.deployments = [
            Deployment(self.number(), arn, replicas, state="COMPLETED", running=replicas)
        ]
        self.items.append(service)
        return service

    def register(self, given: dict[str, Any], tenant: Tenant) -> str:
        """Add a revision and return its ARN; raises `ValueError` where AWS would refuse it."""
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
        """Return the ARNs of a family, oldest first."""
        return [arn for arn, one in self.definitions.items() if one["Family"] == family]

    def behaviour_of(self, arn: str) -> Behaviour:
        """Return how tasks of that revision behave."""
        images = [one["Image"] for one in self.definitions[arn]["ContainerDefinitions"]]
        known = [self.world.behaviours[image] for image in images if image in self.world.behaviours]
        return next((one for one in known if one.fate != "run"), next(iter(known), Behaviour()))


routes = Blueprint("ecs", __name__)


@routes.get(f"{V2}/GetEcsServices")
def services(tid: str) -> Response:
    return listing([one.duplo_body() for one in _state().of_tenant(current_tenant())])


@routes.get(f"{V2}/GetEcsServiceDetails/<name>")
def details(tid: str, name: str) -> Response:
    service = _state().find(current_tenant(), name)
    return answer(service.aws_body()) if service else unknown(f"ECS service {name}")


@routes.get(f"{_ECS}/service")
def detailed(tid: str) -> Response:
    return listing([_detailed(one) for one in _state().of_tenant(current_tenant())])


@routes.get(f"{_ECS}/service/taskDefFamily/<family>")
def of_family(tid: str, family: str) -> Response:
    for one in _state().of_tenant(current_tenant()):
        if _family(one) == family:
            return answer(_detailed(one))
    return unknown(f"A service of {family}", 404)


@routes.get(f"{_ECS}/taskDefFamily/<family>")
def versions(tid: str, family: str) -> Response:
    return answer({"VersionArns": _state().revisions(family)})


@routes.get(f"{V2}/GetEcsTaskDefinitionArns")
def arns(tid: str) -> Response:
    return listing(list(_state().definitions))


@routes.post(f"{V2}/FindEcsTaskDefinition")
def definition(tid: str) -> Response:
    arn = str(sent_object().get("Arn"))
    registered = _state().definitions.get(arn)
    return answer(registered) if registered else unknown(f"Task definition {arn}")


@routes.post(f"{V2}/UpdateEcsTaskDefinition")
def register(tid: str) -> Response:
    try:
        return answer(_state().register(sent_object(), current_tenant()))
    except ValueError as problem:
        return refusal(400, str(problem))


@routes.post(f"{V2}/UpdateEcsService")
def update(tid: str) -> Response:
    wanted = sent_object()
    service = _state().find(current_tenant(), str(wanted.get("Name")))
    if service is None:
        return unknown(f"ECS service {wanted.get('Name')}")
    if wanted.get("TaskDefinition") not in _state().definitions:
        return refusal(400, "TaskDefinition not found")
    service.update(wanted)
    return void()


def _state() -> EcsServices:
    return current_world().resources_of(EcsServices)


def _detailed(service: EcsService) -> dict[str, Any]:
    return {
        "EcsServiceName": service.name,
        "TaskDefFamily": _family(service),
        "DuploEcsService": service.duplo_body(),
        "AwsEcsService": service.aws_body(),
    }


def _family(service: EcsService) -> str:
    return str(service.ecs.definitions[service.document["TaskDefinition"]]["Family"])


KIND = SandboxKind(
    attribute="ecs",
    resources=EcsServices,
    routes=routes,
    newer_routes=(("GET", r"^/v3/subscriptions/[^/]+/aws/ecs/service(/|$)"),),
    reads_by_post=("findecstaskdefinition",),
)
