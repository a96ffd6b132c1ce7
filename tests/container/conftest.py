"""Tests of the container image. They need a Docker engine and the base image."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.container.bitbucket import Agent
from tests.sandbox import Server, World
from tests.support.docker import ROOT, build_lock, require_base_image, require_engine
from tests.support.real_time import real_time_world


@pytest.fixture(scope="session")
def image() -> str:
    """The image under test: PIPE_IMAGE, or one built from this tree."""
    if given := os.environ.get("PIPE_IMAGE"):
        require_engine()
        return given
    require_base_image()
    with build_lock():
        build = subprocess.run(
            ["make", "image"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    if build.returncode:
        pytest.fail(f"the image does not build:\n{build.stdout}\n{build.stderr}", pytrace=False)
    lines = (ROOT / "pipe.yml").read_text("utf-8").splitlines()
    return next(line.removeprefix("image: ") for line in lines if line.startswith("image: "))


@pytest.fixture(scope="session")
def container(image: str) -> Iterator[str]:
    """A container of the image in which nothing happens; it ends by itself in any case."""
    start = ["docker", "run", "--detach", "--rm", "--entrypoint=sleep", image, "1800"]
    name = subprocess.run(start, capture_output=True, text=True, check=True).stdout.strip()
    yield name
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


@pytest.fixture
def agent(image: str, container: str) -> Iterator[Agent]:
    """An empty clone folder; inside the repository, as Bitbucket mounts nothing else."""
    folder = ROOT / "build" / "container" / uuid.uuid4().hex[:8]
    agent = Agent(image, folder, container).prepare()
    yield agent
    agent.clear()


@pytest.fixture
def world() -> World:
    """A world on this machine's clock, with short rollouts."""
    return real_time_world(0.3)


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    """That world, listening where containers reach it."""
    with Server(world, host="0.0.0.0") as server:
        yield server
