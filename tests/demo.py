"""`make demo`: the real pipe against the sandbox, as it appears in the log of a step.

The first step has the portal's token and nothing of AWS, the others an identity token and nothing
else: neither a portal token nor an AWS key.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pipe.clock import SystemClock
from tests.sandbox import Behaviour, Server, World
from tests.sandbox.aws import Cloud
from tests.sandbox.demo import CRASH_LOG, seed_demo
from tests.support.environment import environment
from tests.support.process import PIPE, machine_environment

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / ".demo"
SECRET = "deploy/portal-token"
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def main() -> int:
    """Run four deploys; return 0 when all end as expected."""
    # The records of an earlier demo belong to the token of that one.
    shutil.rmtree(REPORTS, ignore_errors=True)
    world = World(SystemClock())
    seed_demo(world)
    with Server(world) as server, Cloud(SystemClock()) as cloud:
        images = fill_account(cloud, world)
        first = deploy(
            "Nothing set up in AWS: the image is verified with the tenant's credentials from the "
            "portal",
            server,
            {"DUPLO_TOKEN": world.token, **cloud.endpoints()},
            IMAGE=f"{images}:1.4.1",
        )
        step = {**cloud.environ(), "DUPLO_TOKEN_SECRET": SECRET, **cloud.endpoints()}
        deployed = deploy(
            "A deploy: role assumed, portal token read, image verified and pinned; pods take "
            "two seconds each",
            server,
            step,
            IMAGE=f"{images}:1.4.2",
            PIN_DIGEST="true",
        )
        running = world.service("web").image
        missing = deploy("A tag that was never pushed", server, step, IMAGE=f"{images}:1.4.20")
        rolled_back = deploy(
            "A version that crashes, with ROLLBACK: 'true'; the kubelet's back-off takes 2 s here, "
            "not 10 s",
            server,
            step,
            IMAGE=f"{images}:crash",
            ROLLBACK="true",
        )
    image = world.service("web").image
    print(f"\n{BOLD}The portal now runs web on {image}; reports are in {REPORTS.name}/{PLAIN}")
    pinned = running.startswith(f"{images}@sha256:")
    codes = (first, deployed, missing, rolled_back)
    return 0 if (codes, image) == ((0, 0, 5, 8), running) and pinned else 1


def fill_account(cloud: Cloud, world: World) -> str:
    """Add images and the portal's token to the AWS account; return the images' name without tag."""
    images = cloud.repository()
    for tag in ("1.4.1", "1.4.2", "crash"):
        cloud.push(tag)
    world.behave(f"{images}:crash", Behaviour("crash", log=CRASH_LOG, backoff=2.0))
    cloud.client("secretsmanager").create_secret(Name=SECRET, SecretString=world.token)
    return images


def deploy(title: str, server: Server, step: Mapping[str, str], **variables: str) -> int:
    """Run the pipe once in a process of its own; return its exit code."""
    folder = REPORTS / variables["IMAGE"].rpartition(":")[2]
    usual = environment(
        server.url,
        None,
        image=None,
        STABLE_SECONDS="3",
        REPORT_DIR=str(folder),
    )
    print(f"\n{BOLD}{title}{PLAIN}")
    environ = {**step, **usual, **variables}
    if "BITBUCKET_STEP_OIDC_TOKEN" in step:
        print("  oidc: true")
    for name, value in environ.items():
        if not name.startswith(("BITBUCKET_", "AWS_ENDPOINT_URL")):
            print(f"  {name}: {'$DUPLO_TOKEN' if name == 'DUPLO_TOKEN' else value}")
    print(flush=True)
    environ = machine_environment(**environ)
    code = subprocess.run(PIPE, cwd=ROOT, env=environ, check=False).returncode
    outcome = json.loads((folder / "deploy.json").read_text("utf-8"))["outcome"]
    print(f"  -> exit code {code}, outcome {outcome}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
