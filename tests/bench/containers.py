"""`docker run` to the first request: the image compared with smaller programs on its base."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import PIPE, Figure
from tests.bench.first_request import FORMER, ROOT, Contender, compare, image_requests, portal
from tests.container.bitbucket import HOST, docker_run
from tests.support.docker import compressed_size

RIVALS = ROOT / "tests/bench/rivals.Dockerfile"
OLDER = "older pipe's dependencies"

# The imports of the older pipe, its variables read by the toolkit, and one request.
OLDER_PIPE = """
import requests
from bitbucket_pipes_toolkit import Pipe
needed = {"type": "string", "required": True}
schema = {name: needed for name in ("TENANT", "SERVICE", "IMAGE", "DUPLO_HOST", "DUPLO_TOKEN")}
pipe = Pipe(pipe_metadata={}, schema=schema)
headers = {"Authorization": "Bearer " + pipe.get_variable("DUPLO_TOKEN")}
url = pipe.get_variable("DUPLO_HOST") + "/admin/GetTenantsForUser"
requests.get(url, headers=headers, timeout=10).raise_for_status()
"""
BARE = "import requests; print()"


def containers(runs: int, former: Path | None) -> Sequence[Figure]:
    """Compare the image, the older pipe's dependencies, and a bare Python with `requests`.

    `former` is another checkout of the pipe. The figures are time and compressed size.
    """
    images = {PIPE: build_pipe(ROOT), OLDER: build_rival("older")}
    if former:
        images[FORMER] = build_pipe(former)
    bare = build_rival("bare")
    with portal("0.0.0.0") as server:
        request = image_requests(server, HOST)
        trust = [f"--volume={server.ca_path}:/ca.pem:ro", "--env=REQUESTS_CA_BUNDLE=/ca.pem"]
        contenders = [
            Contender(name, docker_run(image, request, []))
            for name, image in images.items()
            if name != OLDER
        ]
        older = [*docker_run(images[OLDER], request, trust), "python3", "-c", OLDER_PIPE]
        least = [*docker_run(bare, {}, []), "python3", "-c", BARE]
        contenders += [
            Contender(OLDER, older),
            # Measured to the end of the import, without the removal of the container.
            Contender("bare Python, import requests", least, prints=True),
        ]
        samples = compare(contenders, server.world, runs)
    sizes = {name: [compressed_size(image) / 1e6] for name, image in images.items()}
    return (
        Figure("Container to first request", "{:.2f} s", samples),
        Figure("Image, compressed", "{:.1f} MB", sizes),
    )


def build_pipe(tree: Path) -> str:
    """Build the image of a checkout under a name of its own; return the name."""
    name = f"bitbucket-deploy-pipe-bench:{'pipe' if tree == ROOT else 'former'}"
    call("make", "-C", str(tree), "image", f"IMAGE={name}")
    return name


def build_rival(harness: str) -> str:
    """Build a harness of rivals.Dockerfile; return its name."""
    name = f"bitbucket-deploy-pipe-bench:{harness}"
    call("docker", "build", "--file", str(RIVALS), "--target", harness, "--tag", name, ".")
    return name


def call(*command: str) -> str:
    """Run a command that must succeed; return its standard output."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout.strip()
