"""The pipe as a process of its own, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from tests.sandbox import World
from tests.support.transcript import watch

ROOT = Path(__file__).parents[2]
_LONGEST = 60.0


def clean_environ(**extra: str) -> dict[str, str]:
    """The environment for a real process: what any machine has, and `extra`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **extra}


def usual(url: str, world: World) -> dict[str, str]:
    """The variables that deploy `web`."""
    return {
        "DUPLO_HOST": url,
        "DUPLO_TOKEN": world.token,
        "TENANT": "dev01",
        "SERVICE": "web",
        "IMAGE": "team/web:1.4.2",
        "STABLE_SECONDS": "0",
    }


def start(
    url: str,
    world: World,
    *,
    log: IO[bytes] | None = None,
    command: tuple[str, ...] = (),
    **extra: str,
) -> subprocess.Popen[str]:
    """Deploy `web` with the usual variables and `extra`; both streams in `log`, or in one pipe.

    `command` is what Python is to run instead of the package.
    """
    environ = clean_environ(**{**usual(url, world), "PYTHONPATH": str(ROOT), **extra})
    out: Any = subprocess.PIPE if log is None else log
    return subprocess.Popen(
        [sys.executable, *(command or ("-m", "pipe"))],
        cwd=extra.get("BITBUCKET_CLONE_DIR", ROOT),
        env=environ,
        stdout=out,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and everything it said."""
    output, _ = process.communicate(timeout=_LONGEST)
    watch(output)
    return process.returncode, output
