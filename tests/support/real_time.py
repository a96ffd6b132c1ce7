"""Worlds and clocks for the pipe over real sockets, as a process or in a container."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipe.clock import SystemClock
from tests.sandbox import World
from tests.support.environment import OLD_IMAGE, SERVICE, TENANT


class JumpingClock(SystemClock):
    """This machine's clock, except that sleeping moves it on at once."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def monotonic(self) -> float:
        """See `Clock`."""
        return super().monotonic() + self._skipped

    def now(self) -> datetime:
        """See `Clock`."""
        return super().now() + timedelta(seconds=self._skipped)

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        self._skipped += max(0.0, seconds)


class FastClock(SystemClock):
    """This machine's clock, `times` as fast."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._began, self._date = super().monotonic(), super().now()

    def monotonic(self) -> float:
        """See `Clock`."""
        return self._began + (super().monotonic() - self._began) * self._times

    def now(self) -> datetime:
        """See `Clock`."""
        return self._date + (super().now() - self._date) * self._times

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        super().sleep(seconds / self._times)


def real_time_world(rollout_seconds: float) -> World:
    """Return a tenant with the service `web`, each pod of which takes this long to start."""
    world = World(SystemClock())
    world.rollout_seconds = rollout_seconds
    world.add_tenant(TENANT)
    world.add_service(SERVICE, OLD_IMAGE, replicas=2)
    return world
