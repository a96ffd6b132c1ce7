"""`make demo`: the pipe against the sandbox, with the output that a step's log shows.

The step has only an identity token, neither a portal token nor AWS keys.
"""

from __future__ import annotations

import json
import subprocess
import sys
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
    """Run three deploys; return 0 if each ended as expected."""
    world = World(SystemClock())
    seed_demo(world)
    with Server(world) as server, Cloud(SystemClock()) as cloud:
        images = stock(cloud, world)
        good = run_step(
            "A good deploy: role assumed, portal token read, image checked and pinned; "
            "each pod takes two seconds to start",
            server,
            cloud,
            IMAGE=f"{images}:1.4.2",
            PIN_DIGEST="true",
        )
        served = world.service("web").image
        absent = run_step("A tag that was never pushed", server, cloud, IMAGE=f"{images}:1.4.20")
        bad = run_step(
            "A version that crashes, with ROLLBACK: 'true'",
            server,
            cloud,
            IMAGE=f"{images}:crash",
            ROLLBACK="true",
        )
    image = world.service("web").image
    print(f"\n{BOLD}The portal now runs web on {image}; reports are in {REPORTS.name}/{PLAIN}")
    pinned = served.startswith(f"{images}@sha256:")
    return 0 if (good, absent, bad, image) == (0, 5, 8, served) and pinned else 1


def stock(cloud: Cloud, world: World) -> str:
    """Add images and the portal's token to the AWS account; return the image name, untagged."""
    images = cloud.repository()
    for tag in ("1.4.1", "1.4.2", "crash"):
        cloud.push(tag)
    world.behave(f"{images}:crash", Behaviour("crash", log=CRASH_LOG))
    cloud.client("secretsmanager").create_secret(Name=SECRET, SecretString=world.token)
    return images


def run_step(title: str, server: Server, cloud: Cloud, **variables: str) -> int:
    """Run the pipe in a process; return its exit code."""
    folder = REPORTS / variables["IMAGE"].rpartition(":")[2]
    usual = environment(
        server.url,
        None,
        image=None,
        DUPLO_TOKEN_SECRET=SECRET,
        STABLE_SECONDS="3",
        REPORT_DIR=str(folder),
    )
    print(f"\n{BOLD}{title}{PLAIN}")
    step = {**cloud.environ(), **usual, **variables}
    print("  oidc: true")
    for name, value in step.items():
        if not name.startswith("BITBUCKET_"):
            print(f"  {name}: {value}")
    print(flush=True)
    environ = machine_environment(**step, **cloud.endpoints())
    code = subprocess.run(PIPE, cwd=ROOT, env=environ, check=False).returncode
    outcome = json.loads((folder / "deploy.json").read_text("utf-8"))["outcome"]
    print(f"  -> exit code {code}, outcome {outcome}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
