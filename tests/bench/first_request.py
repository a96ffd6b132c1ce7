"""How long it takes to reach the portal, from the start of a process or of a container.

Contenders start in turn, each in a process or container of its own, against one portal; what
counts is the moment at which that portal sees the first request.
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
from statistics import median

from pipe.clock import SystemClock
from tests.sandbox import Server, World
from tests.sandbox.aws import Cloud
from tests.support.program import clean_environ

ROOT = Path(__file__).parents[2]
_LONGEST_START = 120.0


@dataclass(frozen=True)
class Contender:
    """A command and its environment; with `talks` it is done when it has said something.

    For a program that asks no portal anything, saying something is all that can be seen of it.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=clean_environ)
    talks: bool = False


@contextmanager
def portal(host: str = "127.0.0.1") -> Iterator[Server]:
    """A portal with one service, which runs already what everybody is going to deploy."""
    world = World(SystemClock())
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1")
    with tempfile.TemporaryDirectory() as folder, Server(world, tls=folder, host=host) as server:
        yield server


def image_requests(server: Server, host: str = "127.0.0.1") -> dict[str, str]:
    """The variables of a pipe that has nothing to change and no registry to ask."""
    return {
        "DUPLO_HOST": f"https://{host}:{server.port}",
        "DUPLO_TOKEN": server.world.token,
        "CA_CERT": server.ca_path.read_text(),
        "TENANT": "dev01",
        "SERVICE": "web",
        "IMAGE": "team/web:1",
        "VERIFY_IMAGE": "false",
        "DRY_RUN": "true",
    }


def medians(contenders: Sequence[Contender], world: World, runs: int) -> dict[str, float]:
    """Seconds to the first request, after one round that fills the caches of files."""
    taken: dict[str, list[float]] = {one.name: [] for one in contenders}
    for number in range(runs + 1):
        for contender in contenders:
            seconds = once(contender, world)
            if number:
                taken[contender.name].append(seconds)
    return {name: median(seconds) for name, seconds in taken.items()}


def once(contender: Contender, world: World) -> float:
    """Start it once and wait until it has ended."""
    world.log.clear()
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        out = subprocess.PIPE if contender.talks else log
        process = subprocess.Popen(
            contender.command, cwd=ROOT, env=contender.environ, stdout=out, stderr=log
        )
        if contender.talks:
            process.stdout.read(1)
            reached = time.monotonic()
        process.communicate(timeout=_LONGEST_START)
        if process.returncode:
            log.seek(0)
            raise AssertionError(f"{contender.name}: {log.read().decode()[-2000:]}")
    # The world keeps the same time: the machine's monotonic clock.
    return (reached if contender.talks else world.log[0].at) - started


def compare_processes(runs: int) -> None:
    """The pipe against the vendor's command line."""
    with portal() as server:
        request = image_requests(server)
        vendor = ["service", "update_image", "web", "team/web:1"]
        contenders = [
            Contender("pipe", [sys.executable, "-m", "pipe"], clean_environ(**request)),
            Contender(
                "duploctl",
                [sys.executable, "-m", "duplocloud.cli", *vendor],
                clean_environ(
                    **request, DUPLO_TENANT="dev01", REQUESTS_CA_BUNDLE=str(server.ca_path)
                ),
            ),
        ]
        show("Process to first request", medians(contenders, server.world, runs))


def compare_roles(runs: int) -> None:
    """The pipe with a role to assume, and without."""
    with portal() as server, Cloud(SystemClock()) as cloud:
        request = image_requests(server)
        command = [sys.executable, "-m", "pipe"]
        role = {**cloud.environ(), **cloud.endpoints()}
        contenders = [
            Contender("without a role", command, clean_environ(**request)),
            Contender("with a role", command, clean_environ(**request, **role)),
        ]
        show("Process to first request to the portal", medians(contenders, server.world, runs))


def show(title: str, seconds: Mapping[str, float]) -> None:
    """One line for each contender; the first is what the others are held against."""
    print(f"{title:<44}{'seconds':>8}{'ratio':>8}{'more':>8}")
    first = next(iter(seconds.values()))
    for name, taken in seconds.items():
        print(f"  {name:<42}{taken:>8.3f}{taken / first:>7.2f}x{taken - first:>+8.3f}")
    print(flush=True)
