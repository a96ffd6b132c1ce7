"""ECS services: task definitions by revision, and deployments from one to the next."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.current import current_tenant, current_world, sent_object
from tests.sandbox.ecs_runs import TaskRuns
from tests.sandbox.ecs_tasks import Task, ending, replaced, task_name
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
_MOST_TASKS = 10
_ECS = f"{V3}/aws/ecs"


@dataclass
class Deployment:
    """One deployment of a service; `failed` counts tasks in a row that did not start."""

    number: int
    definition: str
    desired: int
    created: str
    primary: bool = True
    state: str = "IN_PROGRESS"
    reason: str = "ECS deployment in progress."
    running: int = 0
    pending: int = 0
    failed: int = 0
    tasks: list[Task] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The id that AWS gives it."""
        return f"ecs-svc/{self.number:019d}"

    def body(self) -> dict[str, Any]:
        """Return the deployment as AWS shows it."""
        return {
            "Id": self.id,
            "Status": "PRIMARY" if self.primary else "ACTIVE",
            "TaskDefinition": self.definition,
            "RolloutState": {"Value": self.state},
            "RolloutStateReason": self.reason,
            "DesiredCount": self.desired if self.primary else 0,
            "RunningCount": self.running,
            "PendingCount": self.pending,
            "FailedTasks": self.failed,
            "CreatedAt": self.created,
            "UpdatedAt": self.created,
        }


@dataclass
class EcsService:
    """A service with its deployments and events; `document` is the portal's own part.

    With `full_name`, lists show that name of it. `starts_late` is the number of seconds until AWS
    starts a deployment. Without `portal_follows`, the portal goes on to show the revision that AWS
    has rolled back.
    """

    ecs: EcsServices
    tenant: Tenant
    name: str
    document: dict[str, Any]
    deployments: list[Deployment] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    full_name: str = ""
    starts_late: float = 0.0
    portal_follows: bool = True
    past: list[Task] = field(default_factory=list)

    @property
    def definition(self) -> str:
        """The ARN of the revision that the service is set to."""
        self.ecs.world.advance()
        return str(self.document["TaskDefinition"])

    @property
    def image(self) -> str:
        """The first container's image of that revision."""
        return self.ecs.images(self.definition)[0]

    @property
    def primary(self) -> Deployment:
        """The deployment that AWS is working towards."""
        self.ecs.world.advance()
        return next(one for one in self.deployments if one.primary)

    @property
    def tasks(self) -> list[Task]:
        """Every task, those included that stopped."""
        return [*self.past, *(task for one in self.deployments for task in one.tasks)]

    def update(self, document: dict[str, Any]) -> None:
        """Take over the document, and roll when it names another revision than AWS runs."""
        arn = str(document["TaskDefinition"])
        changed = arn not in (self.document["TaskDefinition"], self.primary.definition)
        scaled = int(document.get("Replicas", self.primary.desired)) != self.primary.desired
        self.document = {**self.document, **document}
        self.document["LastDeployedAt"] = stamp(self.ecs.world.now())
        if changed and self.starts_late:
            self.ecs.world.agenda.later(self.starts_late, lambda: self.roll(arn))
        elif changed or self.primary.definition != arn:
            self.roll(arn)
        elif scaled:
            self._scale(int(document["Replicas"]))

    def _scale(self, replicas: int) -> None:
        """Change the number of tasks, without a new deployment."""
        primary, agenda = self.primary, self.ecs.world.agenda

        def begin() -> None:
            primary.desired = replicas
            agenda.later(self.ecs.world.rollout_seconds, lambda: self._run(primary))

        agenda.later(self.starts_late, begin)

    def roll(self, arn: str) -> None:
        """Start a deployment of that revision."""
        for one in self.deployments:
            one.primary = False
        replicas = int(self.document["Replicas"])
        new = Deployment(self.ecs.number(), arn, replicas, self._now())
        self.deployments.insert(0, new)
        self._attempt(new, self.ecs.behaviour_of(arn), self.ecs.world.at)

    def note(self, text: str) -> None:
        """Add an event."""
        self.events.insert(
            0, {"CreatedAt": self._now(), "Message": f"(service {self.name}) {text}"}
        )

    def start_tasks(self, deployment: Deployment) -> None:
        """Add the tasks that a deployment lacks; they are pending."""
        names = {
            one["Name"]: one["Image"]
            for one in self.ecs.definitions[deployment.definition]["ContainerDefinitions"]
        }
        lacking = deployment.desired - sum(1 for task in deployment.tasks if not task.end)
        first = len(deployment.tasks)
        for number in range(first, first + lacking):
            name = task_name(deployment.id, number)
            task = Task(name, deployment.definition, deployment.id, names, self._now())
            deployment.tasks.append(task)
        deployment.pending = deployment.desired - deployment.running

    def _attempt(self, new: Deployment, behaviour: Behaviour, began: float) -> None:
        """Start a deployment's tasks, and see them come up or fail."""
        if new not in self.deployments or not new.primary:
            return
        world = self.ecs.world
        if behaviour.fate == "unschedulable":
            self.note(
                "was unable to place a task because no container instance met all of its "
                "requirements. Reason: No Container Instances were found in your cluster."
            )
            return
        self.start_tasks(new)
        names = " ".join(f"(task {task.name})" for task in new.tasks if not task.end)
        self.note(f"has started {new.pending} tasks: {names}.")
        seconds = world.rollout_seconds if behaviour.seconds is None else behaviour.seconds
        passes = behaviour.passes_after
        is_good = behaviour.fate == "run" or (passes is not None and world.at >= began + passes)
        if is_good:
            world.agenda.later(seconds, lambda: self._up(new))
            return
        if behaviour.ready:
            world.agenda.later(seconds, lambda: self._run(new))
            seconds += behaviour.up_seconds or 1.0
        world.agenda.later(seconds, lambda: self._fail(new, behaviour, began))

    def _run(self, new: Deployment) -> None:
        """Show a deployment's tasks as running."""
        new.running, new.pending = new.desired, 0
        for task in new.tasks:
            task.running = not task.end

    def _up(self, new: Deployment) -> None:
        if new not in self.deployments or not new.primary:
            return
        self._run(new)
        self.note(
            f"registered {new.desired} targets in (target-group arn:aws:elasticloadbalancing)"
        )
        self.ecs.world.agenda.later(self.ecs.world.leave_seconds, lambda: self._settle(new))

    def _settle(self, new: Deployment) -> None:
        if new not in self.deployments or not new.primary:
            return
        for one in self.deployments:
            if not one.primary and not one.failed:
                self._remove(one, new)
        new.state, new.reason = "COMPLETED", "ECS deployment completed."
        self.note(f"(deployment {new.id}) deployment completed.")
        self.note("has reached a steady state.")

    def _remove(self, old: Deployment, new: Deployment) -> None:
        """Stop the tasks of a deployment that was replaced."""
        if old.running:
            self.note(f"has stopped {old.running} running tasks: (task {task_name(old.id, 0)}).")
        for task in old.tasks:
            task.end = task.end or replaced(new.id)
        self.past += old.tasks
        self.deployments.remove(old)

    def _fail(self, new: Deployment, behaviour: Behaviour, began: float) -> None:
        if new not in self.deployments or not new.primary:
            return
        end = ending(behaviour, self.ecs.images(new.definition)[0])
        fresh = [task for task in new.tasks if not task.end]
        for task in fresh:
            task.end = end
        if not behaviour.ready:
            # AWS counts tasks that did not start; one that ran for a moment did.
            new.failed += len(fresh)
        new.running = new.pending = 0
        breaker = self.document["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
        if breaker["Enable"] and new.failed >= BREAKS_AFTER:
            self._break(new, roll_back=bool(breaker["Rollback"]))
            return
        pause = behaviour.backoff if not breaker["Enable"] else 1.0
        self.ecs.world.agenda.later(pause, lambda: self._attempt(new, behaviour, began))

    def _break(self, new: Deployment, *, roll_back: bool) -> None:
        new.state = "FAILED"
        new.reason = "ECS deployment circuit breaker: tasks failed to start."
        self.note(f"(deployment {new.id}) deployment failed: tasks failed to start.")
        self.ecs.world.agenda.later(FAILED_LISTED, lambda: self._forget(new))
        previous = next((one for one in self.deployments if one is not new), None)
        if roll_back and previous is not None:
            if self.portal_follows:
                self.document["TaskDefinition"] = previous.definition
            self.note(f"rolling back to deployment {previous.id}.")
            new.primary, previous.primary = False, True
            previous.state, previous.reason = "IN_PROGRESS", "ECS deployment in progress."
            self.ecs.world.agenda.later(
                self.ecs.world.leave_seconds, lambda: self._settle(previous)
            )

    def _forget(self, failed: Deployment) -> None:
        if failed in self.deployments and not failed.primary:
            self.past += failed.tasks
            self.deployments.remove(failed)

    def _now(self) -> str:
        return stamp(self.ecs.world.now())

    def duplo_body(self) -> dict[str, Any]:
        """Return the portal's own part."""
        return copy.deepcopy(self.document)

    def aws_body(self) -> dict[str, Any]:
        """Return what AWS shows of the service."""
        return {
            "ServiceName": f"duploservices-{self.tenant.name}-{self.name}",
            "TaskDefinition": self.document["TaskDefinition"],
            "Deployments": [one.body() for one in self.deployments],
            "Events": list(self.events),
        }


class EcsServices(Resources[EcsService]):
    """All ECS services of a world, and every task definition."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.definitions: dict[str, dict[str, Any]] = {}
        self.runs = TaskRuns(self)
        self.needs_service = False
        """Whether the portal refuses a definition of a family that no service has."""
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
        prefixed: bool = False,
    ) -> EcsService:
        """Add a service that has been running for a long time.

        With `prefixed`, lists show its full name in AWS.
        """
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
        service.full_name = f"duploservices-{tenant}-{name}" if prefixed else name
        long_ago = stamp(self.world.now() - timedelta(hours=5))
        running = Deployment(
            self.number(), arn, replicas, long_ago, state="COMPLETED", running=replicas
        )
        service.deployments = [running]
        service.start_tasks(running)
        for task in running.tasks:
            task.running, task.created = True, long_ago
        for text in ("was unable to place a task.", "has reached a steady state."):
            service.events.insert(0, {"CreatedAt": long_ago, "Message": f"(service {name}) {text}"})
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

    def tasks_of(self, tenant: Tenant) -> list[Task]:
        """Return the tenant's tasks, those of services first, those included that stopped."""
        owned = [task for one in self.of_tenant(tenant) for task in one.tasks]
        return [*owned, *self.runs.of_tenant(tenant)]

    def images(self, arn: str) -> list[str]:
        """Return the images of a revision, the first container's first."""
        return [str(one["Image"]) for one in self.definitions[arn]["ContainerDefinitions"]]

    def behaviour_of(self, arn: str) -> Behaviour:
        """Return how tasks of that revision behave."""
        images = self.images(arn)
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


@routes.get(f"{V3}/aws/ecsTasks/<family>")
def tasks(tid: str, family: str) -> Response:
    definitions = _state().definitions
    return listing(
        [
            task.body()
            for task in _state().tasks_of(current_tenant())
            if definitions[task.definition]["Family"] == family
        ]
    )


@routes.get(f"{V2}/GetEcsTasks")
def every_task(tid: str) -> Response:
    return listing([task.body() for task in _state().tasks_of(current_tenant())])


@routes.post(f"{V3}/aws/runEcsTask")
def run(tid: str) -> Response:
    sent = sent_object()
    arn, count = str(sent.get("TaskDefinition")), sent.get("Count", 1)
    if arn not in _state().definitions:
        return refusal(400, "TaskDefinition not found")
    if not isinstance(count, int) or not 1 <= count <= _MOST_TASKS:
        return refusal(400, f"Count {count} is not between 1 and {_MOST_TASKS}")
    # What the portal returns is not known; clients only need it to be JSON.
    _state().runs.run(arn, count, current_tenant())
    return answer(None)


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
        given = sent_object()
        if _state().needs_service and not _state().revisions(str(given.get("Family"))):
            return refusal(400, f"No ECS service has the family {given.get('Family')}")
        return answer(_state().register(given, current_tenant()))
    except ValueError as problem:
        return refusal(400, str(problem))


@routes.post(f"{V2}/UpdateEcsService")
def update(tid: str) -> Response:
    wanted = sent_object()
    service = _state().find(current_tenant(), str(wanted.get("Name")))
    if service is None:
        return unknown(f"ECS service {wanted.get('Name')}")
    wanted_definition = _state().definitions.get(str(wanted.get("TaskDefinition")))
    if wanted_definition is None:
        return refusal(400, "TaskDefinition not found")
    if wanted_definition["Status"]["Value"] == "INACTIVE":
        return refusal(400, "TaskDefinition is inactive")
    service.update(wanted)
    return void()


def _state() -> EcsServices:
    return current_world().resources_of(EcsServices)


def _detailed(service: EcsService) -> dict[str, Any]:
    return {
        "EcsServiceName": service.full_name,
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
    newer_routes=(
        ("GET", r"^/v3/subscriptions/[^/]+/aws/ecs/service(/|$)"),
        ("GET", r"^/v3/subscriptions/[^/]+/aws/ecsTasks/"),
        ("POST", r"^/v3/subscriptions/[^/]+/aws/runEcsTask$"),
    ),
    # From another version of the API's description than the vendor's models.
    unmodelled=(
        ("GET", r"/v3/subscriptions/[^/]+/aws/ecsTasks/[^/]+"),
        ("POST", r"/v3/subscriptions/[^/]+/aws/runEcsTask"),
    ),
    reads_by_post=("findecstaskdefinition",),
)
