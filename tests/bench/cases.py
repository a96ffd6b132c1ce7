"""The tenants that both tools deploy to."""

from __future__ import annotations

from dataclasses import dataclass

from pipe.clock import SystemClock
from tests.sandbox import World
from tests.sandbox.strategy import ONE_MORE

_OTHER = "other-"


@dataclass(frozen=True)
class Case:
    """A deploy of `services` with `pods` each, whose rollout takes about `seconds`.

    The tenant has as many pods of `others`, which nothing deploys.
    """

    services: int
    pods: int
    seconds: float
    others: int = 0

    @property
    def title(self) -> str:
        """The name of the case in the table."""
        what = "1 service" if self.services == 1 else f"{self.services} services"
        what += f" of {self.services + self.others}" if self.others else ""
        pods = f"{self.listed:,} pod{'s' * (self.listed > 1)}"
        return f"{what}, {pods}, {self.seconds:g} s rollout"

    @property
    def listed(self) -> int:
        """The number of pods in the tenant."""
        return (self.services + self.others) * self.pods

    @property
    def is_large(self) -> bool:
        """Whether looking at the pods takes enough time to be measured."""
        return self.listed >= 1000

    @property
    def names(self) -> list[str]:
        """The names of the services that are deployed."""
        return [f"svc-{number}" for number in range(self.services)]

    def world(self) -> World:
        """Return a new tenant, where a service's pods are replaced one after the other."""
        world = World(SystemClock())
        world.rollout_seconds = self.seconds / self.pods
        world.strategy, world.probes_miss = ONE_MORE, False
        world.add_tenant("dev01")
        for name in [*self.names, *(f"{_OTHER}{number}" for number in range(self.others))]:
            world.add_service(name, f"team/{name}:1", replicas=self.pods)
        return world


SMALL = (Case(services=1, pods=1, seconds=2.0), Case(services=20, pods=3, seconds=5.0))
MIDDLE = Case(services=100, pods=10, seconds=20.0)
LARGE = Case(services=24, pods=50, seconds=60.0, others=76)
"""New pods come as fast as Kubernetes makes them for all Deployments of a cluster: 20 a second.

That is the default of `--kube-api-qps`, by which kube-controller-manager limits each controller.
"""
ALL_AT_ONCE = Case(services=100, pods=50, seconds=60.0)
"""Four times as fast."""


def rolled_out_at(world: World) -> float:
    """Return when the last new pod became ready, on this machine's monotonic clock."""
    with world.lock:
        world.advance()
        deployed = (one for one in world.services if not one.name.startswith(_OTHER))
        pods = [pod for service in deployed for pod in service.members if not pod.leaving]
        if any(pod.image.endswith(":1") or not pod.ready for pod in pods):
            raise AssertionError("the tool ended before the rollout")
        return max(pod.born for pod in pods) + world.rollout_seconds
