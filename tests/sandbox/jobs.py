"""Pods of Kubernetes jobs, which the portal lists together with the services' pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sandbox.access import Tenant
from tests.sandbox.behaviour import Phase, State, Step
from tests.sandbox.pods import Pod, Template
from tests.sandbox.stamp import suffix

if TYPE_CHECKING:
    from tests.sandbox.world import World


_PHASES: dict[int, Phase] = {1: "Running", 3: "Pending", 7: "Failed", 11: "Succeeded"}


def make_job_pod(world: World, tenant: Tenant, name: str, image: str, status: int) -> Pod:
    """Return a job's pod that stays in the given status, one of the portal's codes."""
    index = world.next_pod_index()
    phase = _PHASES[status]
    state: State = {"running": {}} if phase == "Running" else {"terminated": {"exitCode": 0}}
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
        step=Step(0.0, phase, state, ready=phase == "Running", started=True),
        born=world.at,
    )
