"""The tenant that the sandbox starts with when it runs on its own."""

from __future__ import annotations

from tests.sandbox.behaviour import Behaviour
from tests.sandbox.world import World

CRASH_LOG = (
    "reading configuration",
    "fatal: DATABASE_URL is not set",
)


def seed_demo(world: World) -> None:
    """Add a tenant with a few services, and an image for each kind of failure."""
    world.add_tenant("dev01")
    world.add_tenant("prod01")
    web_listener = {"Port": "8080", "ExternalPort": 443}
    world.add_service("web", "team/web:1.4.1", replicas=2, lb=web_listener)
    world.add_service("api", "team/api:2.0.0", sidecars={"log": "team/log:3"})
    world.add_service("worker", "team/worker:7", hpa=(2, 5), hpa_replicas=3)
    world.add_service("store", "team/store:1", replicas=2, statefulset=True)
    world.add_service("agent", "team/agent:12", daemonset=True)
    world.add_service("web", "team/web:1.4.0", tenant="prod01", replicas=3)
    world.ecs.add("billing", "team/billing:4")
    world.functions.add("resize", "team/resize:7")
    world.cronjobs.add("nightly", "team/batch:12")
    world.add_job_pod("nightly-28391", "team/batch:12")
    world.behave("team/web:crash", Behaviour("crash", log=CRASH_LOG))
    world.behave("team/web:missing", Behaviour("pull-error"))
    world.behave("team/web:flaky-pull", Behaviour("pull-error-passing"))
    world.behave("team/web:never-ready", Behaviour("never-ready"))
    world.behave("team/web:too-big", Behaviour("unschedulable"))
