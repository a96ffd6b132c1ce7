"""ECS services, Lambda functions and CronJobs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, request

from tests.sandbox.ecs import EcsService
from tests.sandbox.functions import BusyError
from tests.sandbox.replies import answer, listing, refusal, unknown, void
from tests.sandbox.routes.services import V2, V3
from tests.sandbox.world import World

ECS = f"{V3}/aws/ecs"
CRONJOBS = f"{V3}/k8s/cronJob"


def sent() -> dict[str, Any]:
    """The object in the request."""
    given = request.get_json(silent=True, force=True)
    return given if isinstance(given, dict) else {}


def ecs_routes(world: World) -> Blueprint:
    """Everything about ECS."""
    routes = Blueprint("ecs", __name__)

    @routes.get(f"{V2}/GetEcsServices")
    def services(tid: str) -> Response:
        return listing(world, [one.duplo_body() for one in world.ecs.of_tenant(g.tenant)])

    @routes.get(f"{V2}/GetEcsServiceDetails/<name>")
    def details(tid: str, name: str) -> Response:
        service = world.ecs.find(g.tenant, name)
        return answer(service.aws_body()) if service else unknown(world, f"ECS service {name}")

    @routes.get(f"{ECS}/service")
    def detailed(tid: str) -> Response:
        return listing(world, [_detailed(one) for one in world.ecs.of_tenant(g.tenant)])

    @routes.get(f"{ECS}/service/taskDefFamily/<family>")
    def of_family(tid: str, family: str) -> Response:
        for one in world.ecs.of_tenant(g.tenant):
            if _family(one) == family:
                return answer(_detailed(one))
        return unknown(world, f"A service of {family}", 404)

    @routes.get(f"{ECS}/taskDefFamily/<family>")
    def versions(tid: str, family: str) -> Response:
        return answer({"VersionArns": world.ecs.revisions(family)})

    @routes.get(f"{V2}/GetEcsTaskDefinitionArns")
    def arns(tid: str) -> Response:
        return listing(world, list(world.ecs.definitions))

    @routes.post(f"{V2}/FindEcsTaskDefinition")
    def definition(tid: str) -> Response:
        arn = str(sent().get("Arn"))
        found = world.ecs.definitions.get(arn)
        return answer(found) if found else unknown(world, f"Task definition {arn}")

    @routes.post(f"{V2}/UpdateEcsTaskDefinition")
    def register(tid: str) -> Response:
        try:
            return answer(world.ecs.register(sent(), g.tenant))
        except ValueError as problem:
            return refusal(400, str(problem))

    @routes.post(f"{V2}/UpdateEcsService")
    def update(tid: str) -> Response:
        wanted = sent()
        service = world.ecs.find(g.tenant, str(wanted.get("Name")))
        if service is None:
            return unknown(world, f"ECS service {wanted.get('Name')}")
        if wanted.get("TaskDefinition") not in world.ecs.definitions:
            return refusal(400, "TaskDefinition not found")
        service.update(wanted)
        return void(world)

    return routes


def lambda_routes(world: World) -> Blueprint:
    """Everything about functions."""
    routes = Blueprint("lambda", __name__)

    @routes.get(f"{V2}/GetLambdaFunctions")
    def functions(tid: str) -> Response:
        found = [one.listed() for one in world.functions.of_tenant(g.tenant)]
        return answer(found or None)

    @routes.get(f"{V3}/serverless/lambda/<name>")
    def function(tid: str, name: str) -> Response:
        found = world.functions.find(g.tenant, name)
        if found is None:
            return unknown(world, f"Function {name}", 404)
        code = {"ImageUri": found.image, "RepositoryType": "ECR"}
        return answer({"Code": code, "Configuration": found.body(), "Tags": {}})

    @routes.post(f"{V2}/UpdateLambdaFunction")
    def update(tid: str) -> Response:
        wanted = sent()
        found = world.functions.find(g.tenant, str(wanted.get("FunctionName")))
        if found is None:
            return unknown(world, f"Function {wanted.get('FunctionName')}")
        try:
            found.update(str(wanted["ImageUri"]))
        except KeyError:
            return refusal(400, "ImageUri is required")
        except BusyError as busy:
            return refusal(400, str(busy))
        return answer(found.body())

    return routes


def cronjob_routes(world: World) -> Blueprint:
    """Everything about CronJobs."""
    routes = Blueprint("cronjobs", __name__)

    @routes.get(CRONJOBS)
    def jobs(tid: str) -> Response:
        return listing(world, [one.body() for one in world.cronjobs.of_tenant(g.tenant)])

    @routes.get(f"{CRONJOBS}/<name>")
    def job(tid: str, name: str) -> Response:
        found = world.cronjobs.find(g.tenant, name)
        return answer(found.body()) if found else unknown(world, f"CronJob {name}", 404)

    @routes.put(f"{CRONJOBS}/<name>")
    def replace(tid: str, name: str) -> Response:
        found = world.cronjobs.find(g.tenant, name)
        if found is None:
            return unknown(world, f"CronJob {name}", 404)
        wanted = sent()
        if not isinstance(wanted.get("spec"), dict) or not isinstance(wanted.get("metadata"), dict):
            return refusal(400, "metadata and spec are required")
        found.replace(wanted)
        return answer(found.body())

    return routes


def _detailed(service: EcsService) -> dict[str, Any]:
    return {
        "EcsServiceName": service.name,
        "TaskDefFamily": _family(service),
        "DuploEcsService": service.duplo_body(),
        "AwsEcsService": service.aws_body(),
    }


def _family(service: EcsService) -> str:
    return str(service.shelf.definitions[service.document["TaskDefinition"]]["Family"])
