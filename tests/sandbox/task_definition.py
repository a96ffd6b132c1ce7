"""Task definitions: what AWS accepts, and what it returns for them."""

from __future__ import annotations

import copy
from typing import Any

ACCOUNT = "111122223333"
# Fields that AWS adds to a definition when it is registered.
ADDED = {
    "Compatibilities": ["EXTERNAL", "EC2"],
    "RequiresAttributes": [{"Name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
    "RegisteredBy": "arn:aws:sts::111122223333:assumed-role/portal/portal",
}
# AWS returns zeros for fields that were not set, and refuses zeros when they are set.
REFUSED_ZEROS = ("Cpu", "Memory", "MemoryReservation", "StartTimeout", "StopTimeout")


def usual_definition(images: dict[str, str]) -> dict[str, Any]:
    """Return a typical definition, with fields that a careless client loses."""
    return {
        "ContainerDefinitions": [
            {
                "Name": name,
                "Image": image,
                "Essential": place == 0,
                "Environment": [{"Name": "LOG", "Value": "info"}],
                "PortMappings": [{"ContainerPort": 8080, "HostPort": 0}] if place == 0 else [],
            }
            for place, (name, image) in enumerate(images.items())
        ],
        "Cpu": "256",
        "Memory": "512",
        "NetworkMode": {"Value": "awsvpc"},
        "PidMode": {"Value": "task"},
        "RequiresCompatibilities": ["FARGATE"],
        "TaskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/app",
        "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/ecs",
        "Volumes": [],
        "PlacementConstraints": [],
    }


def check(given: dict[str, Any]) -> None:
    """Raise `ValueError` for a definition that AWS refuses."""
    returned_only = {"TaskDefinitionArn", "Revision", "Status", "RegisteredAt", *ADDED}
    if surplus := returned_only & set(given):
        raise ValueError(f"Unknown parameter: {', '.join(sorted(surplus))}")
    if not given.get("Family") or not given.get("ContainerDefinitions"):
        raise ValueError("Family and ContainerDefinitions are required")
    for container in given["ContainerDefinitions"]:
        for key in REFUSED_ZEROS:
            if container.get(key) == 0:
                raise ValueError(f"Invalid setting for container: {key} must not be 0")
        if (container.get("LinuxParameters") or {}).get("SharedMemorySize") == 0:
            raise ValueError("Invalid setting for container: SharedMemorySize must not be 0")
    for volume in given.get("Volumes") or []:
        if (volume.get("EfsVolumeConfiguration") or {}).get("TransitEncryptionPort") == 0:
            raise ValueError("Invalid setting for volume: TransitEncryptionPort must not be 0")
    if not any(one.get("Essential", True) for one in given["ContainerDefinitions"]):
        raise ValueError("At least one container must be essential")


def as_aws_answers(given: dict[str, Any]) -> dict[str, Any]:
    """Return the definition with the zeros that AWS's own client fills in."""
    definition = copy.deepcopy(given)
    for container in definition["ContainerDefinitions"]:
        container.setdefault("Essential", True)
        for key in REFUSED_ZEROS:
            container.setdefault(key, 0)
    return definition
