"""The tests of the pipe, run by the Python and the modules that are in the image.

pytest and what the tests import come from a folder beside it, searched last: whatever both
hold is taken from the image. The pipe itself is the image's too, for only tests/ is mounted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.bitbucket import Agent
from tests.container.conftest import ROOT

pytestmark = [pytest.mark.container, pytest.mark.slow, pytest.mark.xdist_group("container")]

PARTS = ("unit", "scenario", "kinds", "process", "checks", "report", "reliability", "security")
FOLDERS = [f"tests/{part}" for part in PARTS]
# AWS and a registry stand beside the image, not in it: tests/container has their share.
ELSEWHERE = "--ignore=tests/reliability/test_outside.py"
NEEDED = (
    *("pytest", "flask", "trustme", "hypothesis", "duplocloud-sdk"),
    *("jsonschema", "junitparser", "xmlschema"),
)
BASE = "python:3.13-slim-trixie"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

# What pytest and the vendor's models load that the image rightly does without.
COPY_PARTS = """
cd "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
cp -r unittest /out/
mkdir -p /out/lib && cp /lib/*-linux-gnu/librt.so.1 /lib/*-linux-gnu/libdl.so.2 /out/lib/
"""

RUN = """
import sys
sys.path.append("/suite/site")
import pytest
without = [f"-pno:{plugin}" for plugin in ("cacheprovider", "debugging", "doctest")]
sys.exit(pytest.main(["-q", "-m", "not container", *without, *sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def tools(image: str) -> Path:
    """A folder with what the tests need, at the versions that the lock file names."""
    folder = ROOT / "build" / "suite"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(folder)]
    platform = f"--python-platform={machine()}-manylinux_2_28"
    lock = "--constraint=requirements-dev.txt"
    call([*uv, "--python-version=3.13", platform, lock, *NEEDED])
    user = f"--user={os.getuid()}:{os.getgid()}"
    call(["docker", "run", "--rm", user, f"--volume={folder}:/out", BASE, "sh", "-ec", COPY_PARTS])
    return folder


def test_passes_inside_the_image(agent: Agent, tools: Path):
    done = agent.docker(
        "run", "--rm", "--memory=512m",
        f"--volume={tools}:/suite/site:ro",
        f"--volume={ROOT / 'tests'}:/suite/tests:ro",
        f"--volume={ROOT / 'schema'}:/suite/schema:ro",
        f"--volume={ROOT / 'pyproject.toml'}:/suite/pyproject.toml:ro",
        "--workdir=/suite", "--env=LD_LIBRARY_PATH=/suite/site/lib",
        "--entrypoint=python3", agent.image, "-I", "-c", RUN, *FOLDERS, ELSEWHERE,
        seconds=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]


def machine() -> str:
    """What the engine runs, in the words of wheels; it may be another machine than this one."""
    return MACHINES[call(["docker", "version", "--format={{.Server.Arch}}"]).strip()]


def call(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
