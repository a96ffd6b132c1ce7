"""The Docker engine and the base image that container tests need."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
_FROM = re.search(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
assert _FROM
BASE_IMAGE = _FROM[1]
"""The Dockerfile's own base image, which every container test makes do with."""
_PULL_SECONDS = 600


def require_engine() -> None:
    """Skip the test without a Docker engine; fail instead where PIPE_REQUIRE_DOCKER=1."""
    if not engine_answers():
        _missing("no Docker engine answers `docker version`; container tests need one")


def require_base_image() -> None:
    """Skip the test if the base image is neither present nor can be pulled; fail likewise."""
    require_engine()
    if error := _fetch(BASE_IMAGE):
        _missing(f"the image {BASE_IMAGE} is not present and cannot be pulled: {error}")


@cache
def engine_answers() -> bool:
    """Return whether a Docker client is installed and its engine answers."""
    if not shutil.which("docker"):
        return False
    version = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(version, capture_output=True, timeout=30, check=False).returncode == 0


def compressed_size(image: str) -> int:
    """Return the bytes that a step downloads: `docker save IMAGE | gzip -6`, without a header."""
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        packer, size = zlib.compressobj(6), 0
        assert saved.stdout
        while chunk := saved.stdout.read(1 << 20):
            size += len(packer.compress(chunk))
    return size + len(packer.flush())


@contextmanager
def build_lock() -> Iterator[None]:
    """Let one worker of pytest-xdist build at a time; the next one finds Docker's cache full."""
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    with (folder / "container.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _fetch(image: str) -> str:
    """Make sure that the engine has the image; return the last line of the error otherwise."""
    inspect = ["docker", "image", "inspect", image]
    if subprocess.run(inspect, capture_output=True, check=False).returncode == 0:
        return ""
    pull = ["docker", "pull", "--quiet", image]
    try:
        done = subprocess.run(
            pull, capture_output=True, text=True, timeout=_PULL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no image after {_PULL_SECONDS} s"
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


def _missing(reason: str) -> NoReturn:
    if os.environ.get("PIPE_REQUIRE_DOCKER") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
