"""Tests of the image itself. They need a Docker engine, and all run in one worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.bitbucket import Agent

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def image() -> str:
    """The image to test: the one in PIPE_IMAGE, else built from this tree."""
    demand_engine()
    if given := os.environ.get("PIPE_IMAGE"):
        return given
    build = subprocess.run(["make", "image"], cwd=ROOT, capture_output=True, text=True, check=False)
    if build.returncode:
        pytest.fail(f"the image does not build:\n{build.stdout}\n{build.stderr}", pytrace=False)
    listing = (ROOT / "pipe.yml").read_text().splitlines()
    return next(line.removeprefix("image: ") for line in listing if line.startswith("image: "))


@pytest.fixture
def agent(image: str) -> Iterator[Agent]:
    """A fresh clone folder; inside the repository, because Bitbucket mounts nothing else."""
    agent = Agent(image, ROOT / "build" / "container" / uuid.uuid4().hex[:8]).prepare()
    yield agent
    agent.clear()


def demand_engine() -> None:
    """Skip, or fail where PIPE_REQUIRE_DOCKER=1, unless a Docker engine answers."""
    if engine_answers():
        return
    reason = "no Docker engine answers `docker version`; container tests need one"
    if os.environ.get("PIPE_REQUIRE_DOCKER") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def engine_answers() -> bool:
    if not shutil.which("docker"):
        return False
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(asked, capture_output=True, timeout=30, check=False).returncode == 0
