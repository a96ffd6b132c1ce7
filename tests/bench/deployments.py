"""Deployments by several tools, and what they cost."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cases import Case, rolled_out_at
from tests.bench.figures import PIPE, Figure
from tests.bench.first_request import FORMER, ROOT, VENDOR
from tests.bench.portal import Portal, serve
from tests.sandbox import World
from tests.support.environment import TENANT, environment
from tests.support.process import PIPE as COMMAND

STABLE_SECONDS = 5
_LONGEST_RUN = 600.0
_FIRST_LOOKS = 2


@dataclass(frozen=True)
class Cost:
    """Seconds beyond the start of the last new pod, requests, seconds of CPU time, MB of memory.

    `look` is what each look at a list of pods costs, in milliseconds of CPU time.
    """

    beyond: float
    requests: float
    cpu: float
    memory: float
    look: float | None = None


@dataclass(frozen=True)
class Usage:
    """What a process used: MB of memory at most, and seconds of CPU time.

    `samples` are moments on the monotonic clock, with the CPU time until then.
    """

    memory: float
    cpu: float
    samples: Sequence[tuple[float, float]]

    def between(self, start: float, end: float) -> float:
        """Return the seconds of CPU time from one moment to another."""
        moments = [moment for moment, _ in self.samples]
        used = [self.samples[bisect(moments, moment) - 1][1] for moment in (start, end)]
        return used[1] - used[0]


FIGURES = (
    ("beyond", "overhead", "{:.1f} s"),
    ("requests", "requests", "{:.0f}"),
    ("cpu", "CPU", "{:.2f} s"),
    ("memory", "peak memory", "{:.0f} MB"),
    ("look", "CPU for each look at the pods", "{:.0f} ms"),
)
"""The fields of `Cost` that are shown."""


@dataclass(frozen=True)
class Tool:
    """A program that deploys a case; `folder` is where it runs."""

    name: str
    folder: Path = ROOT

    def command(self, case: Case) -> list[str]:
        """Return its command; for the pipe, the case is in its environment."""
        return vendor_command(case) if self.name == VENDOR else list(COMMAND)


def deployments(case: Case, runs: int, former: Path | None) -> Sequence[Figure]:
    """Deploy the case with every tool, each on a portal of its own.

    They run at the same time, unless there is work enough to be in each other's way.
    """
    tools = [Tool(PIPE), Tool(VENDOR), *([Tool(FORMER, former)] if former else [])]
    costs: Mapping[str, list[Cost]] = {tool.name: [] for tool in tools}
    for _ in range(runs):
        with ThreadPoolExecutor(1 if case.is_large else len(tools)) as pool:
            for tool, cost in zip(
                tools, pool.map(lambda tool: cost_of(tool, case), tools), strict=True
            ):
                costs[tool.name].append(cost)
    figures = []
    for field, title, form in FIGURES:
        values = {
            name: [getattr(cost, field) for cost in several] for name, several in costs.items()
        }
        shown = {name: known for name, known in values.items() if None not in known}
        if shown:
            figures.append(Figure(f"{case.title}: {title}", form, shown))
    return figures


def vendor_command(case: Case) -> list[str]:
    """Return the vendor's command, of which there is one for one service and one for several."""
    program = [sys.executable, "-m", "duplocloud.cli", "service"]
    if case.services == 1:
        name = case.names[0]
        return [*program, "update_image", name, f"team/{name}:2", "--wait"]
    pairs = [part for name in case.names for part in ("-S", name, f"team/{name}:2")]
    return [*program, "bulk_update_image", *pairs, "--wait"]


def cost_of(tool: Tool, case: Case) -> Cost:
    """Deploy the case once with a tool, on a new portal."""
    world = case.world()
    with (
        tempfile.TemporaryDirectory() as name,
        serve(world, Path(name)) as portal,
        # Into a file: a pipe that is not read would block the tool.
        tempfile.TemporaryFile() as log,
    ):
        process = subprocess.Popen(
            tool.command(case),
            env=_environment(portal, case, Path(name)),
            cwd=tool.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        usage = _watch(process)
        ended = time.monotonic()
        if process.returncode != 0:
            log.seek(0)
            raise AssertionError(log.read().decode()[-2000:])
    beyond, look = ended - rolled_out_at(world), None
    if tool.name != VENDOR:
        # The other tool does not watch the pods after they have come up.
        beyond -= STABLE_SECONDS
        look = _cost_of_look(world, usage) if case.is_large else None
    return Cost(beyond, len(world.log), usage.cpu, usage.memory, look)


def _cost_of_look(world: World, usage: Usage) -> float:
    """Return the milliseconds of CPU time from one request for the list of pods to the next.

    The first ones are left out: they decode the whole list, and load what following needs.
    """
    asked = [record.at for record in world.log if record.path.endswith("/GetPods")][_FIRST_LOOKS:]
    return usage.between(asked[0], asked[-1]) / (len(asked) - 1) * 1000


def _environment(portal: Portal, case: Case, folder: Path) -> dict[str, str]:
    usual = environment(
        portal.url,
        portal.world.token,
        service=None,
        image=None,
        SERVICES=" ".join(f"{name}=team/{name}:2" for name in case.names),
        STABLE_SECONDS=str(STABLE_SECONDS),
        CA_CERT=str(portal.ca_path),
    )
    vendor = {"DUPLO_TENANT": TENANT, "REQUESTS_CA_BUNDLE": str(portal.ca_path)}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **vendor, **usual}


def _watch(process: subprocess.Popen[bytes]) -> Usage:
    """Wait for the end of a process.

    The peak of its memory is read while it runs: the one reported at its end includes this
    process's own size, from between fork and exec.
    """
    peak, samples, until = 0.0, [(0.0, 0.0)], time.monotonic() + _LONGEST_RUN
    while time.monotonic() < until:
        with contextlib.suppress(OSError, StopIteration):
            peak = max(peak, _peak_memory(process.pid))
            samples.append((time.monotonic(), _cpu_time(process.pid)))
        pid, code, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(code)
            return Usage(peak, usage.ru_utime + usage.ru_stime, samples)
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise AssertionError(f"did not finish within {_LONGEST_RUN:g} s")


def _peak_memory(pid: int) -> float:
    """Return the MB that a process has used at most."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _cpu_time(pid: int) -> float:
    """Return the seconds of CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
