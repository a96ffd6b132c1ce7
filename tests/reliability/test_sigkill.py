"""A process that is killed by the system, followed by the next one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe.clock import SystemClock
from tests.reliability.scenarios import OLD, share
from tests.sandbox import RequestRecord, Server, World
from tests.support.environment import STEP
from tests.support.process import finish, start

RESTARTED = {"IMAGE": OLD, "RESTART": "true"}


def start_step(
    url: str, world: World, folder: Path, run: int, **extra: str
) -> subprocess.Popen[str]:
    """Start one run of the step."""
    step = {
        "STABLE_SECONDS": "1",
        "BITBUCKET_CLONE_DIR": str(folder),
        "BITBUCKET_PIPE_STORAGE_DIR": str(folder / "storage"),
        **STEP,
        "BITBUCKET_STEP_RUN_NUMBER": str(run),
    }
    environ: dict[str, Any] = {**step, **extra}
    return start(url, world, **environ)


def world_with_service() -> World:
    """Return a world with a service deployed long ago and quick rollouts, on the system clock."""
    world = World(SystemClock())
    world.rollout_seconds = 0.3
    world.leave_seconds = 0.2
    world.add_tenant("dev01")
    web = world.add_service("web", OLD, replicas=2)
    web.last_deployed_at = web.last_deployed_at and web.last_deployed_at.replace(year=2025)
    return world


def is_killed_at(world: World, url: str, folder: Path, number: int, **environ: str) -> bool:
    """Kill a run when the portal has its nth request; return whether it was still running."""
    process: list[subprocess.Popen[str]] = []

    def kill(_: RequestRecord) -> None:
        if len(world.log) == number:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process[0].pid, signal.SIGKILL)

    world.listeners.append(kill)
    process.append(start_step(url, world, folder, 1, **environ))
    code, _ = finish(process[0])
    world.listeners.remove(kill)
    return code == -signal.SIGKILL


@pytest.mark.parametrize("environ", [{}, RESTARTED], ids=["deploy", "restart"])
def test_the_run_after_a_killed_process_finishes_its_deployment(
    environ: dict[str, str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After a kill at any request: the next run ends with exit 0, one change, no extra pods."""
    numbers = share(range(1, 14), 6)
    killed = 0
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        world = world_with_service()
        with Server(world) as server:
            killed += is_killed_at(world, server.url, folder, number, **environ)
            for path in folder.rglob("deploy.json"):
                json.loads(path.read_text("utf-8"))
            code, output = finish(start_step(server.url, world, folder, 2, **environ))
        assert code == 0, output
        assert len(world.writes()) == 1, output
        assert world.service("web").starts == 2, output
    assert killed >= len(numbers) - 1
    record_property("kills", killed)
    record_property("kills_failed", 0)
