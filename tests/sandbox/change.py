"""The older route that changes a service: settings missing from the patch are reset."""

from __future__ import annotations

from typing import Any

from tests.sandbox.service import FLAGS, Service


def apply_change(service: Service, given: dict[str, Any], user: str) -> str | None:
    """Apply a change whose keys are in lower case; return why it was refused, if it was."""
    replicas = given.get("replicas")
    if replicas is not None and (not isinstance(replicas, int) or replicas < 0):
        return f"Replicas {replicas} is not a count"
    image = given.get("image") or given.get("dockerimage")
    config = given.get("otherdockerconfig")
    extra = given.get("extraconfig")
    redeployed = bool(image) or config is not None or extra is not None
    # Leaving the tags out moves the service to other hosts.
    service.allocation_tags = given.get("allocationtags") or ""
    for flag in FLAGS:
        service.flags[flag] = bool(given.get(flag.lower(), False))
    if given.get("agentplatform") is not None:
        service.platform = int(given["agentplatform"])
    if extra is not None:
        service.extra_config = extra
    if config is not None:
        service.other_docker_config = config
    if image:
        service.main_image = image
    if replicas is not None:
        service.replicas = replicas
    if redeployed:
        service.deployed(user)
    else:
        service.roll()
    return None
