"""A tenant of the sandbox, and runners of commands in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests import Response

from pipe.deploy_tests import CommandResult
from pipe.http import Network
from pipe.jobs.model import TenantCommand, TenantRunner
from pipe.jobs.runner import JobRunner
from pipe.portal import TenantPortal
from pipe.portal.connect import connect
from pipe.secret import Secret
from pipe.settings import Proxies, Step
from tests.conformance.models import check_exchange
from tests.sandbox import World, WsgiAdapter, create_app
from tests.support.environment import TENANT
from tests.support.fake_clock import FakeClock
from tests.support.tenant_commands import STEP

HOST = "https://portal.example"
LATENCY = 0.02


class Killed(BaseException):
    """The end of a process that is killed."""


class _KillingAdapter(WsgiAdapter):
    """Ends the run at the request that the harness names."""

    def __init__(self, harness: TenantHarness) -> None:
        super().__init__(create_app(harness.world), harness.clock, latency=LATENCY)
        self._harness = harness

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send one request, unless the run is killed before."""
        number, arrives = self._harness.kill_at or (-1, False)
        is_last = len(self._harness.world.log) == number
        if is_last and not arrives:
            raise Killed
        response = super().send(request, *args, **kwargs)
        if is_last:
            raise Killed
        return response


class TenantHarness:
    """The tenant `dev01`, and one runner after another as one run of the pipe follows another.

    `lines` holds what commands wrote, each with the moment on the clock at which it came.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.world = World(self.clock)
        self.world.add_tenant(TENANT)
        self.lines: list[tuple[float, str]] = []
        self.kill_at: tuple[int, bool] | None = None
        """The number of the request at which a run is killed, and whether it still arrives."""

    @property
    def texts(self) -> list[str]:
        """What commands wrote."""
        return [line for _, line in self.lines]

    def portal(self) -> TenantPortal:
        """Return the tenant, connected to anew."""
        adapter = _KillingAdapter(self)
        network = Network(Proxies(), "", self.clock, adapter)
        portal = connect(HOST, Secret(self.world.token), network, "DUPLO_TOKEN")
        (tenant,) = portal.tenants.list()
        return portal.tenant(tenant)

    def runner(self, step: Step = STEP, **options: Any) -> JobRunner:
        """Return the runner of a new run."""
        return JobRunner(self.portal(), self.clock, step, lambda text: text, **options)

    def run(self, command: TenantCommand, step: Step = STEP, **options: Any) -> CommandResult:
        """Run a command in a new run."""
        return self.runner(step, **options).run(command, self.write)

    def kill(self, command: TenantCommand, after: float, step: Step = STEP) -> None:
        """Run a command in a run that is killed some seconds from now and does nothing more."""
        runner = self.runner(step)
        with self.interrupted(Killed, after), pytest.raises(Killed):
            runner.run(command, self.write)

    def kill_at_request(
        self,
        command: TenantCommand,
        number: int,
        *,
        arrives: bool,
        runner: TenantRunner | None = None,
    ) -> bool:
        """Run a command, and kill the run at one of its requests; return whether it had it."""
        runner = runner or self.runner()
        self.kill_at = (number + len(self.world.log), arrives)
        try:
            runner.run(command, self.write)
        except Killed:
            return True
        finally:
            self.kill_at = None
        return False

    def interrupt(self, command: TenantCommand, after: float) -> str:
        """Interrupt a run some seconds from now, and return what it has to say."""
        runner = self.runner()
        with self.interrupted(KeyboardInterrupt, after), pytest.raises(KeyboardInterrupt):
            runner.run(command, self.write)
        return runner.stop()

    @contextlib.contextmanager
    def interrupted(self, error: type[BaseException], after: float) -> Iterator[None]:
        """Raise an error in the first sleep that ends some seconds from now."""
        sleep, due = self.clock.sleep, self.clock.elapsed + after

        def interrupt(seconds: float) -> None:
            sleep(seconds)
            if self.clock.elapsed >= due:
                self.clock.sleep = sleep  # type: ignore[method-assign]
                raise error

        self.clock.sleep = interrupt  # type: ignore[method-assign]
        try:
            yield
        finally:
            self.clock.sleep = sleep  # type: ignore[method-assign]

    def write(self, line: str) -> None:
        """Take a line of a command's output."""
        self.lines.append((self.clock.monotonic(), line))

    def started(self, text: str) -> float:
        """Return when the last command that contains a text was started, on the clock."""
        return [one.at for one in self.world.commands.starts if text in one.line][-1]

    def count(self, method: str, word: str) -> int:
        """Return the number of requests with a method whose path contains a word."""
        records = self.world.log
        return sum(one.method == method and word in one.path for one in records)

    def check(self) -> None:
        """Check that the portal's own models load every body that was exchanged."""
        for record in self.world.log:
            if record.fault is None:
                check_exchange(record)
