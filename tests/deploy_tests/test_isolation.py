"""Attacks by a command on the process that runs it; tests/container has those on the image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pipe
from pipe.deploy_tests import container_limits

ROOT = Path(__file__).parents[2]
TOKEN = "portal-token-0123456789"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's /proc")

PROGRAM = """
import os, sys
from pathlib import Path
from pipe import process
from pipe.deploy_tests import Command, StepRunner
process.protect()
environ = {"PATH": os.environ["PATH"], "DOCKER_HOST": "tcp://127.0.0.1:2375"}
command = Command(sys.argv[1], Path("."), environ, 60.0, lambda line: line)
print(StepRunner().run(command, print).status)
"""
ERASED = """
from pathlib import Path
from pipe.__main__ import take_environment
print(take_environment()["DUPLO_TOKEN"])
print(Path("/proc/self/environ").read_bytes())
"""


def output(program: str, *arguments: str, folder: Path = ROOT, **variables: str) -> str:
    """Run a program that imports the pipe, in a process of its own; return its output."""
    line = [sys.executable, "-c", program, *arguments]
    environ = {**os.environ, **variables}
    done = subprocess.run(
        line, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("file", ["environ", "mem", "maps", "fd/1"])
def test_a_command_cannot_read_the_pipe(file: str) -> None:
    """The kernel refuses memory, environment and open files, to root as well."""
    text = f"head -c 1 /proc/$PPID/{file} && echo opened; true"
    lines = output(PROGRAM, text, DUPLO_TOKEN=TOKEN)
    assert "Permission denied" in lines
    assert "opened" not in lines


def test_a_command_has_no_capabilities() -> None:
    """It gains none by running a program either."""
    lines = output(PROGRAM, "grep -E '^(CapPrm|CapEff|NoNewPrivs)' /proc/self/status").splitlines()
    assert [line.split(":")[1].strip().lstrip("0") for line in lines[:3]] == ["", "", "1"]


def test_a_command_does_not_learn_where_the_docker_service_is() -> None:
    """The service shows the environment of the pipe's own container."""
    assert "DOCKER_HOST" not in output(PROGRAM, "printenv")


def test_a_command_cannot_replace_a_module_that_is_loaded_later(tmp_path: Path) -> None:
    """Every module of the pipe is loaded before the command starts."""
    source = Path(pipe.__file__).parent
    shutil.copytree(source, tmp_path / "pipe", ignore=shutil.ignore_patterns("__pycache__"))
    later = "import pipe.report.junit, pipe.report.html\nprint(pipe.__file__)\n"
    text = "for file in pipe/*/*.py*; do echo 'raise SystemExit(\"hijacked\")' >$file; done"
    program = f"import sys\nsys.path.insert(0, '')\n{PROGRAM}{later}"
    lines = output(program, text, folder=tmp_path).splitlines()
    # The image has bytecode alone.
    assert lines == ["0", str(tmp_path / "pipe" / Path(pipe.__file__).name)]


def test_values_are_erased_from_the_environment_of_the_process() -> None:
    """Only the names stay in the memory that /proc/<pid>/environ shows."""
    value, shown = output(ERASED, DUPLO_TOKEN=TOKEN, COPY=f"Bearer {TOKEN}").splitlines()
    assert value == TOKEN
    assert TOKEN not in shown
    assert "DUPLO_TOKEN=" in shown


def test_a_container_gets_less_memory_than_the_step_has() -> None:
    """256 MB stay for the pipe; a container gets at least as much."""
    small, large = 1 << 28, 1 << 30
    assert container_limits.memory({"MemTotal": small}) == small
    assert container_limits.memory({"MemTotal": large}) <= large - small
