"""Builders for tests of the verdict on a service: a service, its pods, a change, and looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipe.kind import Kind
from pipe.kinds.service.judge import judge
from pipe.kinds.service.pods import identities, runs_already
from pipe.kinds.service.rollout import Look, ServiceRollout, observe, start
from pipe.kinds.service.snapshot import ServiceDetail, images
from pipe.model import MAIN, Change, Restart, Resumption, Snapshot, Target, Update
from pipe.portal import Container, Fault, Phase, Pod, Service
from pipe.rollout import Verdict

OLD, NEW = "team/web:1", "team/web:2"
REPLICA_SET = "kubernetes:apps/v1/ReplicaSet"
STATEFUL_SET = "kubernetes:apps/v1/StatefulSet"
DAEMON_SET = "kubernetes:apps/v1/DaemonSet"


def service(image: str = NEW, **fields: Any) -> Service:
    """Return a plain service of two replicas."""
    plain = Service(
        name="web",
        image=image,
        other_images={},
        replicas=2,
        replicas_active=None,
        min_replicas=None,
        one_pod_per_host=False,
        platform=7,
        cloud=0,
        allocation_tags="",
        deployed_at="",
        restarted_at="",
        history=(),
        flags={},
    )
    return replace(plain, **fields)


def pod(name: str, image: str = NEW, phase: int = 1, desired: int = 1, **container: Any) -> Pod:
    """Return a pod of the web service, in a ReplicaSet for its image.

    Its container's present state is shown, as on current portals.
    """
    is_running = phase == 1 and not container.get("waiting") and not container.get("ended")
    state = {"running": is_running, "docker_id": f"id-{name}", "restarts": 0, **container}
    inside = Container("web", image, **state)
    controller = f"web-{image[-1]}"
    return Pod(name, "web", Phase(phase), Phase(desired), "h", controller, REPLICA_SET, (inside,))


def without_details(pod: Pod, docker_id: str = "") -> Pod:
    """Return a pod as older portals show it: neither restarts nor states."""
    bare = tuple(
        Container(one.name, one.image, docker_id or one.docker_id) for one in pod.containers
    )
    return replace(pod, containers=bare)


def in_set(pod: Pod, kind: str = STATEFUL_SET) -> Pod:
    """Return the pod as that of a StatefulSet or DaemonSet."""
    return replace(pod, controller="web", controller_kind=kind)


def fault(name: str, text: str) -> Fault:
    """Return a fault of a pod."""
    return Fault(frozenset({name}), text, 3)


def change(
    before: Service,
    pods: tuple[Pod, ...] = (),
    to: str = NEW,
    make: type[Change] = Update,
    **fields: Any,
) -> Change:
    """Return the change of a service to another main image, as the driver prepares it."""
    detail = ServiceDetail(before, {pod.name: pod.restarts for pod in pods})
    snapshot = Snapshot(Target(Kind.SERVICE, "web"), images(before), "", detail)
    wanted = fields.pop("images", {MAIN: to})
    made = make(snapshot, wanted, **fields)
    seen = {one for entry in pods if not runs_already(made, entry) for one in identities(entry)}
    return replace(made, previous_pods=frozenset(seen))


def resumed(before: Service, to: str = NEW) -> Change:
    """Return a change that an earlier run made, without a record of the pods before it."""
    return change(before, to=to, resumes=Resumption())


def restart(before: Service, pods: tuple[Pod, ...]) -> Change:
    """Return the restart of a service."""
    return change(before, pods, make=Restart)


PLAIN = change(service(OLD))
TWO_UP = (pod("a"), pod("b"))
TWO_OLD = (pod("x", OLD), pod("y", OLD))


def watch(what: Change, *looks: Look) -> ServiceRollout:
    """Return what was observed at these looks."""
    rollout = start(what, 0.0)
    for look in looks:
        rollout = observe(rollout, look)
    return rollout


def verdict(what: Change, *looks: Look, stable: float = 5.0, crash_limit: int = 3) -> Verdict:
    """Return the verdict after these looks."""
    return judge(watch(what, *looks), stable, crash_limit)


def every_second(
    seconds: range, pods: tuple[Pod, ...], seen: Service, faults: tuple[Fault, ...] = ()
) -> list[Look]:
    """Return a look at the same state for each of these seconds."""
    return [Look(float(at), pods, seen, faults) for at in seconds]
