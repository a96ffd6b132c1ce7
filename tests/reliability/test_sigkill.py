"""The real thing: a process that is killed by the system, and the next one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipe.clock import SystemClock
from tests.reliability.scene import OLD, STEP, share
from tests.sandbox import RequestRecord, Server, World
from tests.support.process import finish, start

RESTARTED = {"IMAGE": OLD, "RESTART": "true"}


def begin(url: str, world: World, folder: Path, run: int, **extra: str) -> subprocess.Popen[str]:
    """One run of the step."""
    step = {
        "STABLE_SECONDS": "1",
        "BITBUCKET_CLONE_DIR": str(folder),
        "BITBUCKET_PIPE_STORAGE_DIR": str(folder / "storage"),
        **STEP,
        "BITBUCKET_STEP_RUN_NUMBER": str(run),
    }
    return start(url, world, **{**step, **extra})


def old_world() -> World:
    """A service that was deployed long ago, with quick rollouts, on the machine's own clock."""
    world = World(SystemClock())
    world.rollout_seconds = 0.3
    world.leave_seconds = 0.2
    world.add_tenant("dev01")
    web = world.add_service("web", OLD, replicas=2)
    web.last_deployed_at = web.last_deployed_at and web.last_deployed_at.replace(year=2025)
    return world


def killed_at(world: World, url: str, folder: Path, number: int, **environ: str) -> bool:
    """A run that gets SIGKILL when the portal has its request with that number."""
    process: list[subprocess.Popen[str]] = []

    def shoot(_: RequestRecord) -> None:
        if len(world.log) == number:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process[0].pid, signal.SIGKILL)

    world.listeners.append(shoot)
    process.append(begin(url, world, folder, 1, **environ))
    code, _ = finish(process[0])
    world.listeners.remove(shoot)
    return code == -signal.SIGKILL


@pytest.mark.parametrize("environ", [{}, RESTARTED], ids=["deploy", "restart"])
def test_a_process_that_was_killed_is_followed_by_one_that_ends_it(
    environ: dict[str, str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Whichever request was its last: the next run ends with exit 0, one change, no more pods."""
    numbers = share(range(1, 14), 6)
    shot = 0
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        world = old_world()
        with Server(world) as server:
            shot += killed_at(world, server.url, folder, number, **environ)
            for path in folder.rglob("deploy.json"):
                json.loads(path.read_text("utf-8"))
            code, output = finish(begin(server.url, world, folder, 2, **environ))
        assert code == 0, output
        assert len(world.writes()) == 1, output
        assert world.service("web").starts == 2, output
    assert shot >= len(numbers) - 1
    record_property("kills", shot)
    record_property("kills_failed", 0)
