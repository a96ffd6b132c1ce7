"""The recorded changes, as they are made in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.recorded import STEP, Sight
from tests.kubernetes.recordings import Recording
from tests.sandbox import Behaviour, World
from tests.sandbox.kubernetes.objects import workload_object
from tests.sandbox.pod_body import pod_object
from tests.sandbox.service import MAIN_CONTAINER, Service
from tests.support.fake_clock import FakeClock

OLD, NEW = "app:ok-1", "app:ok-2"
START_SECONDS = 1.6
"""From a pod's creation until it is ready, as on the machine that recorded."""
STOP_SECONDS, LEAVE_SECONDS = 1.0, 8.0
"""From a pod's deletion until its containers have ended, and until it is no longer listed."""

Action = Callable[[World, Service], object]


def set_image(image: str) -> Action:
    """Return the action that changes the main container's image."""
    return lambda _, service: service.set_images({MAIN_CONTAINER: image}, "ci")


def _set_new_image(_: World, service: Service) -> None:
    service.set_images({MAIN_CONTAINER: NEW}, "ci")


def _nothing(_: World, __: Service) -> None:
    """Do nothing: the behaviour of the image has the step already."""


@dataclass(frozen=True)
class Play:
    """A change in the sandbox; `then` maps the steps of the recording to actions."""

    new: Behaviour = field(default_factory=Behaviour)
    old: Behaviour = field(default_factory=Behaviour)
    change: Action = _set_new_image
    prepare: Action = _nothing
    then: tuple[Action, ...] = ()
    replicas: int = 3
    options: Mapping[str, Any] = field(default_factory=dict)
    deadline: float = 600.0
    """Seconds without progress that the Deployment is given."""
    ends_at: float | None = None
    """Up to which second the two are compared; None means to the end of the recording.

    Later the back-offs of several pods have drifted apart, in every run in another way.
    """

    def sights(self, recording: Recording) -> Iterator[Sight]:
        """Yield what the sandbox shows from right after the change to the recording's end."""
        clock = FakeClock()
        world = World(clock)
        world.kubernetes.enabled = True
        world.kubernetes.progress_deadline = self.deadline
        world.add_tenant("dev01")
        world.rollout_seconds = START_SECONDS
        world.stop_seconds, world.leave_seconds = STOP_SECONDS, LEAVE_SECONDS
        world.hosts = ["node-1"]
        world.behave(OLD, self.old)
        service = world.add_service("web", OLD, replicas=self.replicas, **self.options)
        self.prepare(world, service)
        world.behave(NEW, self.new)
        yield _sight(-1.0, service)
        began = clock.elapsed
        self.change(world, service)
        for (at, _), action in zip(recording.steps, self.then, strict=True):
            world.intrude(lambda world, act=action: act(world, service), after=at)  # type: ignore[misc]
        for _ in range(int(recording.length / STEP) + 1):
            yield _sight(clock.elapsed - began, service)
            clock.advance(STEP)


def _sight(at: float, service: Service) -> Sight:
    world = service.world
    pods = {pod.name: pod_object(pod) for pod in service.pods}
    warnings = frozenset(fault.description for fault in world.faults.listed)
    events = frozenset(
        (event.kind, event.reason, event.message)
        for event in world.kubernetes.events.of_tenant(service.tenant.id)
        if event.warning
    )
    return Sight(at, pods, warnings, workload_object(service), events)


def recorded_sights(recording: Recording) -> Iterator[Sight]:
    """Yield what the recording shows at the same moments."""
    first = recording.moments[0]
    yield Sight(-1.0, first.pods, workload=first.workload)
    for number in range(int(recording.length / STEP) + 1):
        moment = recording.at(number * STEP + 0.1)
        warnings = frozenset(event["message"] for event in moment.events)
        events = frozenset(
            (event["involvedObject"]["kind"], event["reason"], event["message"])
            for event in moment.events
        )
        yield Sight(number * STEP, moment.pods, warnings, moment.workload, events)


def _set(container: str, image: str) -> Action:
    return lambda _, service: service.set_images(
        {container: image, MAIN_CONTAINER: "app:ok-3"}, "ci"
    )


def _scaled(replicas: int) -> Action:
    return lambda _, service: service.scale(replicas)


def _paused(_: World, service: Service) -> None:
    service.pause()


def _slow_to_go(world: World, _: Service) -> None:
    """Have previous pods stay listed for long, as in the recording: no new pod comes before."""
    world.leave_seconds = 60.0


def _newest_deleted(_: World, service: Service) -> None:
    service.delete_pod(max(service.members, key=lambda pod: pod.index))


def _undone(world: World, service: Service) -> None:
    """Have a good revision before the change: it is undone."""
    set_image("app:ok-0")(world, service)
    world.clock.sleep(60.0)


_LATE = Behaviour(ready_after=8.0)
_INIT = {"inits": {"migrate": "app:done-1"}}
_SIDECAR = {"sidecars": {"log": "app:log-1"}}
_RECREATE = {"other_docker_config": {"DeploymentStrategy": {"Type": "Recreate"}}}
_SURGE = {
    "other_docker_config": {
        "DeploymentStrategy": {
            "Type": "RollingUpdate",
            "RollingUpdate": {"MaxSurge": "100%", "MaxUnavailable": 0},
        }
    }
}
_CRASH = Behaviour("crash")
_CRASH_SEEN_UP = Behaviour("crash", up_seconds=1.0)

PLAYS: Mapping[str, Play] = {
    "bad-command": Play(Behaviour("bad-command")),
    "crash": Play(_CRASH),
    "crash-deadline": Play(_CRASH, deadline=20.0),
    "crash-later": Play(Behaviour("crash", ready=True, up_seconds=6.0, exit_code=3), ends_at=62.0),
    "crash-twice": Play(Behaviour("crash", crashes=2)),
    "daemonset": Play(replicas=1, options={"daemonset": True}),
    "drain": Play(_LATE, then=(lambda world, _: world.drain(30.0), lambda *_: None)),
    "evicted": Play(Behaviour("evicted", ready=True, up_seconds=44.0), then=(set_image(OLD),)),
    "good": Play(),
    "good-no-probe": Play(),
    "init-fail": Play(
        prepare=lambda world, _: world.behave("app:crash-2", _CRASH),
        change=_set("migrate", "app:crash-2"),
        options=_INIT,
    ),
    "init-slow": Play(
        prepare=lambda world, _: world.behave("app:slow-2", Behaviour(seconds=8.0)),
        change=_set("migrate", "app:slow-2"),
        options=_INIT,
    ),
    "invalid-name": Play(Behaviour("invalid-name")),
    "liveness": Play(Behaviour("liveness", seconds=2.0), ends_at=40.0),
    "missing-secret": Play(Behaviour("config-error")),
    "missing-volume": Play(Behaviour("missing-volume")),
    "never-ready-1": Play(Behaviour("never-ready"), replicas=1),
    "never-ready-3": Play(Behaviour("never-ready"), deadline=30.0),
    "no-image": Play(Behaviour("pull-error")),
    "no-registry": Play(Behaviour("no-registry")),
    "oom": Play(Behaviour("oom")),
    "paused": Play(prepare=_paused, then=(lambda _, service: service.resume(),)),
    "pod-deleted": Play(_LATE, then=(_newest_deleted,)),
    "pull-always": Play(Behaviour("pull-error")),
    "pulled": Play(Behaviour(seconds=6.5, pods=1)),
    "quota": Play(
        prepare=lambda world, _: world.limit_pods(3),
        then=(lambda world, _: world.limit_pods(10),),
    ),
    "ready-late": Play(_LATE),
    "recreate": Play(prepare=_slow_to_go, options=_RECREATE),
    "registry-late": Play(Behaviour("no-registry", passes_after=12.0, pods=1), then=(_nothing,)),
    "restart": Play(change=lambda _, service: service.restart()),
    "rollback": Play(_CRASH_SEEN_UP, then=(set_image(OLD),)),
    "same-image": Play(change=set_image(OLD)),
    "scale-down": Play(_LATE, then=(_scaled(1),)),
    "scale-up": Play(_LATE, old=Behaviour(seconds=2.5, ready_after=3.2), then=(_scaled(5),)),
    "sidecar-crash": Play(
        prepare=lambda world, _: world.behave("app:crash-2", _CRASH),
        change=_set("log", "app:crash-2"),
        options=_SIDECAR,
    ),
    "slow-stop": Play(old=Behaviour(stop_seconds=12.5)),
    "statefulset": Play(options={"statefulset": True}),
    "statefulset-crash": Play(_CRASH, then=(set_image(OLD),), options={"statefulset": True}),
    "superseded": Play(_LATE, then=(set_image("app:ok-3"),)),
    "surge-100": Play(options=_SURGE),
    "undo": Play(prepare=_undone, change=set_image(OLD)),
    "unschedulable": Play(Behaviour("unschedulable")),
}

LEFT_OUT: Mapping[str, str] = {
    "crash-glimpse": "as `crash`; how far a crashing image gets without a probe is luck",
    "sidecar-crash-glimpse": "as `sidecar-crash`; the restarted sidecar was ready once by luck",
    "digest": "as `pulled`; the image as it is shown has a test of its own",
    "tag-and-digest": "as `pulled`; the image as it is shown has a test of its own",
    "evicted-patched": "the kubelet disagrees with a status that was written by hand",
    "node-lost": "when a node is missed depends on the settings of the cluster",
}
