"""ECS, Lambda and CronJobs: any field may be missing, null or of another type."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from hypothesis import given, settings

from pipe.http import Reply
from pipe.kinds.cronjob import next_run
from pipe.kinds.ecs import reasons
from pipe.kinds.ecs.judge import judge, state
from pipe.kinds.ecs.rollout import has_lost_tasks, observe, start, with_tasks
from pipe.kinds.ecs.snapshot import current_revision
from pipe.portal import EcsTasks
from pipe.portal.cronjobs import CronJobs
from pipe.portal.ecs import Ecs
from pipe.portal.functions import Functions
from pipe.portal.scope import Scope
from pipe.portal.tenants import Tenant
from tests.unit.test_portal_decoding import broken

ARN = "arn:aws:ecs:us-west-2:1:task-definition/duploservices-dev01-api:2"
DEPLOYMENT = {
    "Id": "ecs-svc/2",
    "Status": "PRIMARY",
    "TaskDefinition": ARN,
    "RolloutState": {"Value": "IN_PROGRESS"},
    "RolloutStateReason": "in progress",
    "DesiredCount": 2,
    "RunningCount": 1,
    "PendingCount": 1,
    "FailedTasks": 3,
    "CreatedAt": "2026-02-03T10:11:12.5Z",
}
SERVICE = {
    "EcsServiceName": "duploservices-dev01-api",
    "DuploEcsService": {"Name": "api", "TaskDefinition": ARN, "Replicas": 2},
    "AwsEcsService": {
        "Deployments": [DEPLOYMENT, {**DEPLOYMENT, "Status": "ACTIVE", "Id": "ecs-svc/1"}],
        "Events": [
            {"CreatedAt": "2026-02-03T10:11:13Z", "Message": "has started 4 tasks: (task a)."},
            {"CreatedAt": "2026-02-03T10:11:14Z", "Message": "was unable to place a task."},
        ],
    },
}
TASK = {
    "TaskArn": "arn:task/a",
    "TaskDefinitionArn": ARN,
    "StartedBy": "ecs-svc/2",
    "LastStatus": "STOPPED",
    "DesiredStatus": "STOPPED",
    "StopCode": {"Value": "EssentialContainerExited"},
    "StoppedReason": "Essential container in task exited",
    "Containers": [{"Name": "api", "ExitCode": 137, "Reason": "OutOfMemoryError"}],
}
FUNCTION = {
    "FunctionName": "resize",
    "LastUpdateStatus": {"Value": "Failed"},
    "LastUpdateStatusReason": "no",
    "State": {"Value": "Failed"},
    "StateReason": "no",
    "PackageType": {"Value": "Image"},
    "LastModified": "2026-02-03T10:11:12.000+0000",
    "CodeSha256": "a",
}
CRONJOB = {
    "metadata": {"name": "nightly"},
    "spec": {
        "schedule": "0 2 * * *",
        "suspend": False,
        "concurrencyPolicy": "Forbid",
        "jobTemplate": {
            "spec": {"template": {"spec": {"containers": [{"name": "nightly", "image": "t:1"}]}}}
        },
    },
    "status": {"active": [{"name": "nightly-1"}]},
}


def scope(body: Any) -> Scope:
    """Return a scope in which every read returns this body."""
    calls = Mock()
    calls.read.return_value = Mock(spec=Reply, status=200)
    calls.decode = lambda reply, what, read: read(body)
    return Scope(calls, Tenant("id", "dev01"))


def test_the_plain_bodies_are_decoded() -> None:
    """Otherwise the tests below would prove nothing."""
    (service,) = Ecs(scope([SERVICE])).list()
    assert (service.name, service.full_name) == ("api", "duploservices-dev01-api")
    assert [event.message[:10] for event in service.events] == ["was unable", "has starte"]
    (task,) = EcsTasks(scope([TASK])).list("family") or ()
    assert reasons.why(task).endswith("(api: exit code 137, OutOfMemoryError)")
    (function,) = Functions(scope([FUNCTION])).list()
    assert function.failed
    assert function.modified
    (job,) = CronJobs(scope([CRONJOB])).list()
    assert "no other starts before it ends" in next_run(job)


@settings(max_examples=200, deadline=None)
@given(service=broken(SERVICE), then=broken(SERVICE), task=broken(TASK))
def test_no_body_of_a_service_or_a_task_is_a_defect(
    service: dict[str, Any], then: dict[str, Any], task: dict[str, Any]
) -> None:
    """It is decoded, observed, judged and described."""
    tasks = EcsTasks(scope([task])).list("family") or ()
    for before in Ecs(scope([service])).list():
        current_revision(before)
        rollout = start(before, ARN, {""}, 0.0, container="api", images={}, resumed=False)
        for now in Ecs(scope([then])).list():
            fresh = with_tasks(observe(rollout, now, 1.0), tasks)
            has_lost_tasks(rollout, fresh)
            judge(fresh, 0.0, 3)
            assert state(fresh).startswith("is set to")
            reasons.faults(fresh.new_events)


@settings(max_examples=200, deadline=None)
@given(function=broken(FUNCTION), job=broken(CRONJOB))
def test_no_body_of_a_function_or_a_cronjob_is_a_defect(
    function: dict[str, Any], job: dict[str, Any]
) -> None:
    """It is decoded and described."""
    Functions(scope([function])).list()
    for found in CronJobs(scope([job])).list():
        assert next_run(found)
