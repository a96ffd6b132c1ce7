"""`docker run` to the first request: the image against the same base with less of a program."""

from __future__ import annotations

import subprocess

from tests.bench.first_request import ROOT, Contender, image_requests, medians, portal, show
from tests.container.bitbucket import HOST, docker_run
from tests.support.docker import engine_answers

RIVALS = ROOT / "tests/bench/rivals.Dockerfile"
ALLOWED_SECONDS = 0.15
"""What the image may take beyond a bare one that imports `requests`."""

# What the older pipe imported, the toolkit's reading of variables, and one request.
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
    """The image, the older pipe's dependencies on its base, and that base with `requests`."""
    if not engine_answers():
        print("No Docker engine answers, so containers are not compared.\n", flush=True)
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
            # Until the import is done, not until the container has been taken down.
            Contender(
                "bare Python, import requests",
                [*docker_run(bare, {}, []), "python3", "-c", BARE],
                talks=True,
            ),
        ]
        seconds = medians(contenders, server.world, runs)
    show("docker run to first request", seconds)
    mine, _, least = seconds.values()
    verdict = "kept" if mine <= least + ALLOWED_SECONDS else "NOT kept"
    print(f"  At most {ALLOWED_SECONDS} s more than bare Python: {verdict}.\n", flush=True)


def build_ours() -> str:
    """The image of this tree, under a name of its own."""
    name = "bitbucket-deploy-pipe-bench:pipe"
    call("make", "image", f"IMAGE={name}")
    return name


def build_rival(stage: str) -> str:
    """One of the rivals' images."""
    name = f"bitbucket-deploy-pipe-bench:{stage}"
    call("docker", "build", "--file", str(RIVALS), "--target", stage, "--tag", name, ".")
    return name


def call(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout.strip()
