"""Time from the start of a process or container to its first request to the portal.

Contenders start alternately, against one portal, whose log has the time of the first request.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipe.clock import SystemClock
from tests.bench.figures import PIPE, Figure
from tests.sandbox import Server, World
from tests.sandbox.aws import Cloud
from tests.support.environment import environment
from tests.support.process import PIPE as COMMAND
from tests.support.process import machine_environment

ROOT = Path(__file__).parents[2]
VENDOR = "duploctl"
FORMER = "former pipe"
_LONGEST_START = 120.0


@dataclass(frozen=True)
class Contender:
    """A command and its environment.

    With `prints`, its first output counts instead, for a program that sends no request.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=machine_environment)
    prints: bool = False
    folder: Path = ROOT


@contextmanager
def portal(host: str = "127.0.0.1") -> Iterator[Server]:
    """A portal with one service that already runs the image to deploy."""
    world = World(SystemClock())
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1")
    with tempfile.TemporaryDirectory() as folder, Server(world, tls=folder, host=host) as server:
        yield server


def image_requests(server: Server, host: str = "127.0.0.1") -> dict[str, str]:
    """Return the variables of a run that changes nothing and needs no registry."""
    assert server.ca_path
    return environment(
        f"https://{host}:{server.port}",
        server.world.token,
        image="team/web:1",
        CA_CERT=server.ca_path.read_text(),
        VERIFY_IMAGE="false",
        DRY_RUN="true",
    )


def compare(
    contenders: Sequence[Contender], world: World, runs: int
) -> Mapping[str, Sequence[float]]:
    """Return seconds to the first request, after one round that fills the file caches."""
    taken: dict[str, list[float]] = {one.name: [] for one in contenders}
    for number in range(runs + 1):
        for contender in contenders:
            seconds = once(contender, world)
            if number:
                taken[contender.name].append(seconds)
    return taken


def once(contender: Contender, world: World) -> float:
    """Run it once; return the seconds to its first request."""
    world.log.clear()
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        out = subprocess.PIPE if contender.prints else log
        process = subprocess.Popen(
            contender.command, cwd=contender.folder, env=contender.environ, stdout=out, stderr=log
        )
        if contender.prints:
            assert process.stdout
            process.stdout.read(1)
            reached = time.monotonic()
        process.communicate(timeout=_LONGEST_START)
        if process.returncode:
            log.seek(0)
            raise AssertionError(f"{contender.name}: {log.read().decode()[-2000:]}")
    # The world's clock is the same: this machine's monotonic clock.
    return (reached if contender.prints else world.log[0].at) - started


def processes(runs: int, former: Path | None) -> Figure:
    """Compare the pipe with the vendor's command line, and with another checkout of the pipe."""
    with portal() as server:
        request = image_requests(server)
        vendor = ["service", "update_image", "web", "team/web:1"]
        contenders = [
            Contender(PIPE, COMMAND, machine_environment(**request)),
            Contender(
                VENDOR,
                [sys.executable, "-m", "duplocloud.cli", *vendor],
                machine_environment(
                    **request, DUPLO_TENANT="dev01", REQUESTS_CA_BUNDLE=str(server.ca_path)
                ),
            ),
        ]
        if former:
            environ = machine_environment(**request, PYTHONPATH=str(former))
            contenders.append(Contender(FORMER, COMMAND, environ, folder=former))
        samples = compare(contenders, server.world, runs)
    return Figure("Process to first request", "{:.2f} s", samples)


def roles(runs: int) -> Figure:
    """Compare the pipe with and without a role to assume."""
    with portal() as server, Cloud(SystemClock()) as cloud:
        request = image_requests(server)
        role = {**cloud.environ(), **cloud.endpoints()}
        contenders = [
            Contender(PIPE, COMMAND, machine_environment(**request, **role)),
            Contender("pipe without a role", COMMAND, machine_environment(**request)),
        ]
        samples = compare(contenders, server.world, runs)
    return Figure("Process with a role to first request to the portal", "{:.2f} s", samples)
