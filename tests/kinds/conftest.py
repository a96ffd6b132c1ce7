"""A portal on a clock that stands still, and the program run against it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from pipe.errors import ExitCode
from pipe.run import Wires, run
from tests.fake_clock import FakeClock
from tests.sandbox import World, WsgiAdapter, create_app
from tests.sandbox.hosts import Hosts
from tests.sandbox.record import RequestRecord

HOST = "https://portal.example"


@dataclass
class Stage:
    """A world and a way to run the program in it."""

    world: World
    capfd: pytest.CaptureFixture[str]
    told: str = ""

    def run(self, **variables: str) -> ExitCode:
        """Run the program once; `told` is everything it said."""
        environ = {"DUPLO_HOST": HOST, "DUPLO_TOKEN": self.world.token, "TENANT": "dev01"}
        portal = Hosts({urlsplit(HOST).hostname or "": WsgiAdapter(create_app(self.world))})
        code = run(environ | variables, Wires(self.world.clock, portal))
        caught = self.capfd.readouterr()
        self.told = caught.out + caught.err
        return code

    def requests(self, word: str) -> list[RequestRecord]:
        """The requests whose path holds a word."""
        return [record for record in self.world.log if word.lower() in record.path.lower()]


@pytest.fixture
def stage(capfd) -> Stage:
    """A tenant without anything in it."""
    world = World(FakeClock())
    world.add_tenant("dev01")
    return Stage(world, capfd)


@pytest.fixture
def old_stage(capfd) -> Stage:
    """The same on a portal of an earlier generation."""
    world = World(FakeClock(), portal="old")
    world.add_tenant("dev01")
    return Stage(world, capfd)
