"""Pods of Kubernetes jobs, which the portal lists together with the services' pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.access import Tenant
from tests.sandbox.behaviour import RUNNING, Step
from tests.sandbox.pods import Pod, Template
from tests.sandbox.stamp import suffix

if TYPE_CHECKING:
    from tests.sandbox.world import World


def make_job_pod(world: World, tenant: Tenant, name: str, image: str, status: int) -> Pod:
    """Return a job's pod that stays in the given status."""
    index = world.next_pod_index()
    state = {"running": {}} if status == RUNNING else {"terminated": {"exitCode": 0}}
    return Pod(
        world=world,
        tenant_id=tenant.id,
        account=tenant.name,
        template=Template(name, ((name, image),)),
        name=f"{name}-{suffix(f'{tenant.id}/{index}', 5)}",
        generation=name,
        controller={"QualifiedType": "kubernetes:batch/v1/Job", "NativeId": name},
        index=index,
        changed=lambda: None,
        step=Step(0.0, status, started=True, state=state),
        born=world.at,
    )
