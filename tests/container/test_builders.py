"""Docker's two builders, the classic one and BuildKit, make the same of one commit."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.docker import ROOT, require_base_image

pytestmark = [pytest.mark.container, pytest.mark.slow]

BUILDERS = {
    "classic": ["docker", "build"],
    # The engine's own, which finds base images of this machine.
    "buildkit": ["docker", "buildx", "build", "--builder=default", "--load"],
}


def succeeds(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Docker's."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def build(builder: str) -> str:
    """Build this tree; each builder has a cache of its own, so neither sees the other's work."""
    name = f"bitbucket-deploy-pipe-test:{builder}"
    arguments = ["--build-arg=SOURCE_DATE_EPOCH=1700000000", f"--tag={name}", "."]
    # Only the classic builder asks for the variable.
    done = succeeds(*BUILDERS[builder], *arguments, DOCKER_BUILDKIT="0")
    assert done.returncode == 0, done.stderr[-3000:]
    return name


def content(image: str) -> list[list[tuple]]:
    """Every entry of every layer, with the whole of what a layer keeps about it."""
    with tempfile.TemporaryFile() as file:
        subprocess.run(["docker", "save", image], stdout=file, check=True)
        file.seek(0)
        with tarfile.open(fileobj=file) as saved:
            manifest = json.load(saved.extractfile("manifest.json"))
            return [sorted(entries(saved.extractfile(name))) for name in manifest[0]["Layers"]]


def entries(file: object) -> Iterator[tuple]:
    with tarfile.open(fileobj=file) as layer:
        for one in layer:
            data = layer.extractfile(one) if one.isreg() else None
            digest = hashlib.file_digest(data, "sha256").hexdigest() if data else ""
            kept = (one.mode, one.uid, one.gid, one.mtime, one.size, one.linkname)
            yield (one.name, one.type, *kept, digest)


def test_the_classic_builder_and_buildkit_make_the_same_layers() -> None:
    """Two builds of one tree, from nothing in common, hold the same to the last second."""
    require_base_image()
    if succeeds("docker", "buildx", "version").returncode:
        pytest.skip("`docker buildx` is not installed; the image builds with the classic builder")
    classic, buildkit = (content(build(builder)) for builder in BUILDERS)
    assert len(classic) == 1
    assert len(classic[0]) > 1000
    assert classic == buildkit
