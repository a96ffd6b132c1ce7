"""Access to Kubernetes, as the portal hands it out: by the present route and by the older one."""

from __future__ import annotations

from flask import Blueprint, Response

from tests.sandbox.current import current_tenant, current_world
from tests.sandbox.replies import answer, refusal
from tests.sandbox.routes import V2, V3

routes = Blueprint("kubernetes", __name__)


@routes.get(f"{V3}/k8s/jitAccess")
@routes.get(f"{V2}/GetK8ClusterConfigByTenant")
def access(tid: str) -> Response:
    world = current_world()
    if not world.kubernetes.enabled:
        return Response("", world.missing_status)
    if world.kubernetes.text or world.kubernetes.status >= 400:
        return refusal(world.kubernetes.status, world.kubernetes.text)
    return answer(world.kubernetes.issue(current_tenant()))
