"""ECS services, Lambda functions and CronJobs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from tests.sandbox.current import current_tenant, current_world, sent_object
from tests.sandbox.ecs import EcsService
from tests.sandbox.functions import BusyError
from tests.sandbox.replies import answer, listing, refusal, unknown, void
from tests.sandbox.routes.services import V2, V3

ECS = f"{V3}/aws/ecs"
CRONJOBS = f"{V3}/k8s/cronJob"


ecs_routes = Blueprint("ecs", __name__)


@ecs_routes.get(f"{V2}/GetEcsServices")
def services(tid: str) -> Response:
    return listing([one.duplo_body() for one in current_world().ecs.of_tenant(current_tenant())])


@ecs_routes.get(f"{V2}/GetEcsServiceDetails/<name>")
def details(tid: str, name: str) -> Response:
    service = current_world().ecs.find(current_tenant(), name)
    return answer(service.aws_body()) if service else unknown(f"ECS service {name}")


@ecs_routes.get(f"{ECS}/service")
def detailed(tid: str) -> Response:
    return listing([_detailed(one) for one in current_world().ecs.of_tenant(current_tenant())])


@ecs_routes.get(f"{ECS}/service/taskDefFamily/<family>")
def of_family(tid: str, family: str) -> Response:
    for one in current_world().ecs.of_tenant(current_tenant()):
        if _family(one) == family:
            return answer(_detailed(one))
    return unknown(f"A service of {family}", 404)


@ecs_routes.get(f"{ECS}/taskDefFamily/<family>")
def versions(tid: str, family: str) -> Response:
    return answer({"VersionArns": current_world().ecs.revisions(family)})


@ecs_routes.get(f"{V2}/GetEcsTaskDefinitionArns")
def arns(tid: str) -> Response:
    return listing(list(current_world().ecs.definitions))


@ecs_routes.post(f"{V2}/FindEcsTaskDefinition")
def definition(tid: str) -> Response:
    arn = str(sent_object().get("Arn"))
    found = current_world().ecs.definitions.get(arn)
    return answer(found) if found else unknown(f"Task definition {arn}")


@ecs_routes.post(f"{V2}/UpdateEcsTaskDefinition")
def register(tid: str) -> Response:
    try:
        return answer(current_world().ecs.register(sent_object(), current_tenant()))
    except ValueError as problem:
        return refusal(400, str(problem))


@ecs_routes.post(f"{V2}/UpdateEcsService")
def update(tid: str) -> Response:
    wanted = sent_object()
    service = current_world().ecs.find(current_tenant(), str(wanted.get("Name")))
    if service is None:
        return unknown(f"ECS service {wanted.get('Name')}")
    if wanted.get("TaskDefinition") not in current_world().ecs.definitions:
        return refusal(400, "TaskDefinition not found")
    service.update(wanted)
    return void()


lambda_routes = Blueprint("lambda", __name__)


@lambda_routes.get(f"{V2}/GetLambdaFunctions")
def functions(tid: str) -> Response:
    found = [one.listed() for one in current_world().functions.of_tenant(current_tenant())]
    return answer(found or None)


@lambda_routes.get(f"{V3}/serverless/lambda/<name>")
def function(tid: str, name: str) -> Response:
    found = current_world().functions.find(current_tenant(), name)
    if found is None:
        return unknown(f"Function {name}", 404)
    code = {"ImageUri": found.image, "RepositoryType": "ECR"}
    return answer({"Code": code, "Configuration": found.body(), "Tags": {}})


@lambda_routes.post(f"{V2}/UpdateLambdaFunction")
def update_function(tid: str) -> Response:
    wanted = sent_object()
    found = current_world().functions.find(current_tenant(), str(wanted.get("FunctionName")))
    if found is None:
        return unknown(f"Function {wanted.get('FunctionName')}")
    try:
        found.update(str(wanted["ImageUri"]))
    except KeyError:
        return refusal(400, "ImageUri is required")
    except BusyError as busy:
        return refusal(400, str(busy))
    return answer(found.body())


cronjob_routes = Blueprint("cronjobs", __name__)


@cronjob_routes.get(CRONJOBS)
def jobs(tid: str) -> Response:
    return listing([one.body() for one in current_world().cronjobs.of_tenant(current_tenant())])


@cronjob_routes.get(f"{CRONJOBS}/<name>")
def job(tid: str, name: str) -> Response:
    found = current_world().cronjobs.find(current_tenant(), name)
    return answer(found.body()) if found else unknown(f"CronJob {name}", 404)


@cronjob_routes.put(f"{CRONJOBS}/<name>")
def replace(tid: str, name: str) -> Response:
    found = current_world().cronjobs.find(current_tenant(), name)
    if found is None:
        return unknown(f"CronJob {name}", 404)
    wanted = sent_object()
    if not isinstance(wanted.get("spec"), dict) or not isinstance(wanted.get("metadata"), dict):
        return refusal(400, "metadata and spec are required")
    found.replace(wanted)
    return answer(found.body())


def _detailed(service: EcsService) -> dict[str, Any]:
    return {
        "EcsServiceName": service.name,
        "TaskDefFamily": _family(service),
        "DuploEcsService": service.duplo_body(),
        "AwsEcsService": service.aws_body(),
    }


def _family(service: EcsService) -> str:
    return str(service.shelf.definitions[service.document["TaskDefinition"]]["Family"])
