"""Docker's classic builder and BuildKit make identical images of one commit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import pytest

from tests.support.docker import ROOT, require_base_image

pytestmark = [pytest.mark.container, pytest.mark.slow]

Entry = tuple[Any, ...]
BUILDERS = {
    "classic": ["docker", "build"],
    # The engine's own instance, which sees the base images of this machine.
    "buildkit": ["docker", "buildx", "build", "--builder=default", "--load"],
}


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command, whatever its exit code."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def build(builder: str) -> str:
    """Build this tree; the builders do not share a cache."""
    name = f"bitbucket-deploy-pipe-test:{builder}"
    arguments = ["--build-arg=SOURCE_DATE_EPOCH=1700000000", f"--tag={name}", "."]
    # The classic builder runs only with this variable.
    done = run(*BUILDERS[builder], *arguments, DOCKER_BUILDKIT="0")
    assert done.returncode == 0, done.stderr[-3000:]
    return name


def content(image: str) -> list[list[Entry]]:
    """Return every entry of every layer, with all its metadata and a digest of its content."""
    with tempfile.TemporaryFile() as file:
        subprocess.run(["docker", "save", image], stdout=file, check=True)
        file.seek(0)
        with tarfile.open(fileobj=file) as saved:
            listing = saved.extractfile("manifest.json")
            assert listing
            manifest = json.load(listing)
            return [sorted(entries(saved.extractfile(name))) for name in manifest[0]["Layers"]]


def entries(file: IO[bytes] | None) -> Iterator[Entry]:
    """Yield name, type, metadata and digest of each entry of a layer."""
    with tarfile.open(fileobj=file) as layer:
        for entry in layer:
            data = layer.extractfile(entry) if entry.isreg() else None
            digest = hashlib.sha256(data.read()).hexdigest() if data else ""
            kept = (entry.mode, entry.uid, entry.gid, entry.mtime, entry.size, entry.linkname)
            yield (entry.name, entry.type, *kept, digest)


def test_the_classic_builder_and_buildkit_make_the_same_layers() -> None:
    """Two independent builds of one tree agree in every byte and timestamp."""
    require_base_image()
    if run("docker", "buildx", "version").returncode:
        pytest.skip("`docker buildx` is not installed; the image builds with the classic builder")
    classic, buildkit = (content(build(builder)) for builder in BUILDERS)
    assert len(classic) == 1
    assert len(classic[0]) > 1000
    assert classic == buildkit
