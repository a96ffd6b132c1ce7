"""The pipe as a separate process, started the way a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.sandbox import World
from tests.support.environment import environment
from tests.support.transcript import watch

ROOT = Path(__file__).parents[2]
PIPE = (sys.executable, "-m", "pipe")
_TIMEOUT_SECONDS = 60.0


def machine_environment(**variables: str) -> dict[str, str]:
    """Return the few variables that any process on this machine needs, and `variables`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **variables}


def start(
    url: str,
    world: World,
    *,
    log: IO[bytes] | None = None,
    command: tuple[str, ...] = (),
    **variables: str,
) -> subprocess.Popen[str]:
    """Deploy `web` with the usual variables and `variables`.

    Both streams go to `log`, or else to one pipe. `command`, if any, replaces Python's arguments.
    """
    usual = environment(url, world.token, STABLE_SECONDS="0", PYTHONPATH=str(ROOT))
    return subprocess.Popen(
        [sys.executable, *(command or PIPE[1:])],
        cwd=variables.get("BITBUCKET_CLONE_DIR", ROOT),
        env=machine_environment(**{**usual, **variables}),
        stdout=subprocess.PIPE if log is None else log,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the process; return its exit code and everything it printed."""
    output, _ = process.communicate(timeout=_TIMEOUT_SECONDS)
    watch(output)
    return process.returncode, output
