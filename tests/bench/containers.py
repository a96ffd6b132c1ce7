"""`docker run` to the first request: the image compared with smaller programs on its base."""

from __future__ import annotations

import subprocess

from tests.bench.first_request import ROOT, Contender, image_requests, medians, portal, show
from tests.container.bitbucket import HOST, docker_run
from tests.support.docker import engine_answers

RIVALS = ROOT / "tests/bench/rivals.Dockerfile"
ALLOWED_SECONDS = 0.15
"""The limit for the image's excess over a bare one that imports `requests`."""

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


def compare_containers(runs: int) -> None:
    """Compare the image, the older pipe's dependencies, and a bare Python with `requests`."""
    if not engine_answers():
        print("Containers are not compared, as no Docker engine answers.\n", flush=True)
        return
    ours, bare, older = build_ours(), build_rival("bare"), build_rival("older")
    with portal("0.0.0.0") as server:
        request = image_requests(server, HOST)
        trust = [f"--volume={server.ca_path}:/ca.pem:ro", "--env=REQUESTS_CA_BUNDLE=/ca.pem"]
        contenders = [
            Contender("pipe", docker_run(ours, request, [])),
            Contender(
                "older pipe's dependencies, one request",
                [*docker_run(older, request, trust), "python3", "-c", OLDER_PIPE],
            ),
            # Measured to the end of the import, without the removal of the container.
            Contender(
                "bare Python, import requests",
                [*docker_run(bare, {}, []), "python3", "-c", BARE],
                prints=True,
            ),
        ]
        seconds = medians(contenders, server.world, runs)
    show("docker run to first request", seconds)
    mine, _, least = seconds.values()
    verdict = "met" if mine <= least + ALLOWED_SECONDS else "NOT met"
    print(f"  Limit of {ALLOWED_SECONDS} s more than bare Python: {verdict}.\n", flush=True)


def build_ours() -> str:
    """Build the image of this tree under a separate name; return the name."""
    name = "bitbucket-deploy-pipe-bench:pipe"
    call("make", "image", f"IMAGE={name}")
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
