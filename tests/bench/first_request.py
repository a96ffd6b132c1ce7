"""How long a step takes to reach the portal, with a role to assume and without.

From the start of the process to its first request, in fresh processes taken in turn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pipe.clock import SystemClock
from tests.sandbox import RequestRecord, Server, World
from tests.sandbox.aws import Cloud
from tests.stage import clean_environ

ROOT = Path(__file__).parents[2]
ROUNDS = 9


def main() -> None:
    """Measure and print medians in seconds."""
    world = World(SystemClock())
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1")
    arrivals: list[float] = []

    def arrive(_: RequestRecord) -> None:
        arrivals.append(time.perf_counter())

    world.listeners.append(arrive)
    taken: dict[str, list[float]] = {"without a role": [], "with a role": []}
    with Server(world) as server, Cloud(SystemClock()) as cloud:
        steps = {"without a role": {}, "with a role": {**cloud.environ(), **cloud.endpoints()}}
        for round_number in range(ROUNDS + 1):
            for name, step in steps.items():
                arrivals.clear()
                started = time.perf_counter()
                start(server, step)
                if round_number:  # the first round fills the caches of files
                    taken[name].append(arrivals[0] - started)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    print(f"Time to the first request to the portal, median of {ROUNDS} processes:")
    for name, values in taken.items():
        spread = f"{min(values):.3f} to {max(values):.3f}"
        print(f"  {name:<15} {medians[name]:.3f} s  ({spread})")
    print(f"  difference      {medians['with a role'] - medians['without a role']:.3f} s")


def start(server: Server, step: Mapping[str, str]) -> None:
    """Run the pipe once; it has nothing to change."""
    environ = clean_environ(
        DUPLO_HOST=server.url,
        DUPLO_TOKEN=server.world.token,
        TENANT="dev01",
        SERVICE="web",
        IMAGE="team/web:1",
        VERIFY_IMAGE="false",
        DRY_RUN="true",
        **step,
    )
    command = [sys.executable, "-m", "pipe"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


if __name__ == "__main__":
    main()
