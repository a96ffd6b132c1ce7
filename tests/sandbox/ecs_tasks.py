"""Tasks of ECS services, and how those of a bad image end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.stamp import guid
from tests.sandbox.task_definition import ACCOUNT

SCHEDULER = "ServiceSchedulerInitiated"
OUT_OF_MEMORY = 137


@dataclass(frozen=True)
class End:
    """How a task ended, in the words of AWS."""

    code: str
    reason: str
    exit_code: int | None = None
    container_reason: str = ""


@dataclass
class Task:
    """One task of a deployment, started at a time in the portal's format."""

    name: str
    definition: str
    deployment: str
    images: dict[str, str]
    created: str
    running: bool = False
    end: End | None = field(default=None)

    @property
    def arn(self) -> str:
        """The ARN."""
        region = self.definition.split(":")[3]
        return f"arn:aws:ecs:{region}:{ACCOUNT}:task/{self.name}"

    def body(self) -> dict[str, Any]:
        """Return the task as AWS shows it."""
        status = "STOPPED" if self.end else "RUNNING" if self.running else "PENDING"
        body: dict[str, Any] = {
            "TaskArn": self.arn,
            "TaskDefinitionArn": self.definition,
            "StartedBy": self.deployment,
            "CreatedAt": self.created,
            "DesiredStatus": "STOPPED" if self.end else "RUNNING",
            "LastStatus": status,
            "Containers": [
                self._container(name, image, status) for name, image in self.images.items()
            ],
        }
        if self.end:
            body |= {"StopCode": {"Value": self.end.code}, "StoppedReason": self.end.reason}
        return body

    def _container(self, name: str, image: str, status: str) -> dict[str, Any]:
        body: dict[str, Any] = {"Name": name, "Image": image, "LastStatus": status}
        is_main = name == next(iter(self.images))
        if self.end and is_main and self.end.exit_code is not None:
            body["ExitCode"] = self.end.exit_code
        if self.end and is_main and self.end.container_reason:
            body["Reason"] = self.end.container_reason
        return body


def task_name(deployment: str, number: int) -> str:
    """Return the id of a task, the same for the same number of the same deployment."""
    return guid(f"{deployment}/{number}").replace("-", "")


def ending(behaviour: Behaviour, image: str) -> End:
    """Return how a task of a bad image ends."""
    exited = "Essential container in task exited"
    match behaviour.fate:
        case "pull-error" | "pull-error-passing":
            reason = behaviour.fault or (
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed "
                f"to resolve ref docker.io/{image}: docker.io/{image}: not found"
            )
            return End("TaskFailedToStart", reason)
        case "config-error":
            reason = behaviour.fault or (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution "
                "resource retrieval failed: AccessDeniedException"
            )
            return End("TaskFailedToStart", reason)
        case "never-ready":
            group = f"arn:aws:elasticloadbalancing:us-west-2:{ACCOUNT}:targetgroup/api/1"
            return End(SCHEDULER, f"Task failed ELB health checks in (target-group {group})")
        case _:
            out_of_memory = "OutOfMemoryError: Container killed due to memory usage"
            killed = behaviour.exit_code == OUT_OF_MEMORY
            return End(
                "EssentialContainerExited",
                behaviour.fault or exited,
                behaviour.exit_code,
                out_of_memory if killed else "",
            )


def replaced(deployment: str) -> End:
    """Return how a task ends that a deployment no longer needs."""
    return End(SCHEDULER, f"Scaling activity initiated by (deployment {deployment})", 0)
