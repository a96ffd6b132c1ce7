"""One run of a tool, and its cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.cases import Case, rolled_out_at
from tests.sandbox import Server, World
from tests.support.environment import TENANT, environment
from tests.support.process import PIPE

ROOT = Path(__file__).parents[2]
STABLE_SECONDS = 5
_LONGEST_RUN = 600.0


@dataclass(frozen=True)
class Cost:
    """Seconds from the last new pod's start to the tool's end (`beyond`), and MB of memory."""

    beyond: float
    requests: float
    cpu: float
    memory: float
    looks: int = 0


def pipe_command(case: Case) -> list[str]:
    """Return the pipe's command; the case is in its environment."""
    del case
    return list(PIPE)


def vendor_command(case: Case) -> list[str]:
    """Return the vendor's command, of which there is one for one service and one for several."""
    program = [sys.executable, "-m", "duplocloud.cli", "service"]
    if case.services == 1:
        name = case.names[0]
        return [*program, "update_image", name, f"team/{name}:2", "--wait"]
    pairs = [part for name in case.names for part in ("-S", name, f"team/{name}:2")]
    return [*program, "bulk_update_image", *pairs, "--wait"]


def measure(command: list[str], case: Case, folder: Path, *, wait: bool = True) -> Cost:
    """Deploy the case once with a tool, on a new portal."""
    world = case.world()
    with Server(world, tls=folder) as server:
        environment = _environment(server, case, folder, wait=wait)
        # Into a file: a pipe that is not read would block the tool.
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )
            memory, code, cpu = _watch(process)
            ended = time.monotonic()
            if code != 0:
                log.seek(0)
                raise AssertionError(log.read().decode()[-2000:])
        beyond = ended - rolled_out_at(world) if wait else 0.0
        return Cost(beyond, len(world.log), cpu, memory, _looks(world))


def _environment(server: Server, case: Case, folder: Path, *, wait: bool) -> dict[str, str]:
    usual = environment(
        server.url,
        server.world.token,
        service=None,
        image=None,
        SERVICES=" ".join(f"{name}=team/{name}:2" for name in case.names),
        STABLE_SECONDS=str(STABLE_SECONDS),
        CA_CERT=str(server.ca_path),
        WAIT="true" if wait else "false",
    )
    vendor = {"DUPLO_TENANT": TENANT, "REQUESTS_CA_BUNDLE": str(server.ca_path)}
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
