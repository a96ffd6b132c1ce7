"""Deployments by several tools, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Cost:
    """Seconds from the last new pod's start to the tool's end (`beyond`), and MB of memory.

    `looks` counts the lists of pods that were read; `look` is what each of them costs, in
    milliseconds of CPU time.
    """

    beyond: float
    requests: float
    cpu: float
    memory: float
    looks: int = 0
    look: float | None = None


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
    """Deploy the case with every tool at the same time, each on a portal of its own."""
    tools = [Tool(PIPE), Tool(VENDOR), *([Tool(FORMER, former)] if former else [])]
    costs: Mapping[str, list[Cost]] = {tool.name: [] for tool in tools}
    for _ in range(runs):
        with ThreadPoolExecutor(len(tools)) as pool:
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
        if shown and (field != "look" or case.is_large):
            figures.append(Figure(f"{case.title}: {title}", form, shown))
    return figures


def cost_of(tool: Tool, case: Case) -> Cost:
    """Deploy the case once; for the pipe, find out what a look costs."""
    with tempfile.TemporaryDirectory() as name:
        cost = measure(tool, case, Path(name))
        if tool.name == VENDOR:
            return cost
        # The cost of following is the difference to a run that does everything else.
        rest = measure(tool, case, Path(name), wait=False).cpu if case.is_large else 0.0
    look = (cost.cpu - rest) / cost.looks * 1000
    return replace(cost, beyond=cost.beyond - STABLE_SECONDS, look=look)


def vendor_command(case: Case) -> list[str]:
    """Return the vendor's command, of which there is one for one service and one for several."""
    program = [sys.executable, "-m", "duplocloud.cli", "service"]
    if case.services == 1:
        name = case.names[0]
        return [*program, "update_image", name, f"team/{name}:2", "--wait"]
    pairs = [part for name in case.names for part in ("-S", name, f"team/{name}:2")]
    return [*program, "bulk_update_image", *pairs, "--wait"]


def measure(tool: Tool, case: Case, folder: Path, *, wait: bool = True) -> Cost:
    """Deploy the case once with a tool, on a new portal."""
    world = case.world()
    with serve(world, folder) as portal:
        environment = _environment(portal, case, folder, wait=wait)
        # Into a file: a pipe that is not read would block the tool.
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                tool.command(case),
                env=environment,
                cwd=tool.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            memory, code, cpu = _watch(process)
            ended = time.monotonic()
            if code != 0:
                log.seek(0)
                raise AssertionError(log.read().decode()[-2000:])
        beyond = ended - rolled_out_at(world) if wait else 0.0
        return Cost(beyond, len(world.log), cpu, memory, _looks(world))


def _environment(portal: Portal, case: Case, folder: Path, *, wait: bool) -> dict[str, str]:
    usual = environment(
        portal.url,
        portal.world.token,
        service=None,
        image=None,
        SERVICES=" ".join(f"{name}=team/{name}:2" for name in case.names),
        STABLE_SECONDS=str(STABLE_SECONDS),
        CA_CERT=str(portal.ca_path),
        WAIT="true" if wait else "false",
    )
    vendor = {"DUPLO_TENANT": TENANT, "REQUESTS_CA_BUNDLE": str(portal.ca_path)}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **vendor, **usual}


def _watch(process: subprocess.Popen[bytes]) -> tuple[float, int, float]:
    """Return peak memory in MB, exit code and CPU seconds of a process.

    The peak is read while it runs: the one reported at its end includes this process's own
    size, from between fork and exec.
    """
    status = Path(f"/proc/{process.pid}/status")
    peak, until = 0.0, time.monotonic() + _LONGEST_RUN
    while time.monotonic() < until:
        try:
            text = status.read_text("ascii", "replace")
        except OSError:
            text = ""
        for line in text.splitlines():
            if line.startswith("VmHWM:"):
                peak = max(peak, int(line.split()[1]) / 1024)
        pid, code, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(code)
            return peak, process.returncode, usage.ru_utime + usage.ru_stime
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise AssertionError(f"did not finish within {_LONGEST_RUN:g} s")


def _looks(world: World) -> int:
    return sum(record.path.endswith("/GetPods") for record in world.log)
