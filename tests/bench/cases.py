"""The tenants that both tools deploy to."""

from __future__ import annotations

from dataclasses import dataclass

from pipe.clock import SystemClock
from tests.sandbox import World
from tests.sandbox.strategy import ONE_MORE


@dataclass(frozen=True)
class Case:
    """A deploy of `services` with `pods` each, whose rollout takes about `seconds`."""

    services: int
    pods: int
    seconds: float

    @property
    def title(self) -> str:
        """The name of the case in the table."""
        what = "1 service" if self.services == 1 else f"{self.services} services"
        pods = self.services * self.pods
        return f"{what}, {pods:,} pod{'s' * (pods > 1)}, {self.seconds:g} s rollout"

    @property
    def is_large(self) -> bool:
        """Whether looking at the pods takes enough time to be measured."""
        return self.services * self.pods >= 1000

    @property
    def names(self) -> list[str]:
        """The names of the services."""
        return [f"svc-{number}" for number in range(self.services)]

    def world(self) -> World:
        """Return a new tenant, where a service's pods are replaced one after the other."""
        world = World(SystemClock())
        world.rollout_seconds = self.seconds / self.pods
        world.strategy, world.probes_miss = ONE_MORE, False
        world.add_tenant("dev01")
        for name in self.names:
            world.add_service(name, f"team/{name}:1", replicas=self.pods)
        return world


SMALL = (Case(services=1, pods=1, seconds=2.0), Case(services=20, pods=3, seconds=5.0))
MIDDLE = Case(services=100, pods=10, seconds=20.0)
LARGE = Case(services=100, pods=50, seconds=60.0)


def rolled_out_at(world: World) -> float:
    """Return when the last new pod became ready, on this machine's monotonic clock."""
    with world.lock:
        world.advance()
        pods = [pod for service in world.services for pod in service.members if not pod.leaving]
        if any(pod.image.endswith(":1") or not pod.ready for pod in pods):
            raise AssertionError("the tool ended before the rollout")
        return max(pod.born for pod in pods) + world.rollout_seconds
