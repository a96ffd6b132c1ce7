"""`make demo`: the real pipe against the sandbox, as a person would see it in a step's log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipe.clock import SystemClock
from tests.sandbox import Server, World
from tests.sandbox.demo import seed_demo
from tests.stage import clean_environ

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / ".demo"
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def main() -> int:
    """Play the two acts; 0 when both ended as they should."""
    world = World(SystemClock())
    seed_demo(world)
    with Server(world) as server:
        good = act(
            "A good deploy: team/web:1.4.1 -> team/web:1.4.2, pods take two seconds each",
            server,
            IMAGE="team/web:1.4.2",
        )
        bad = act(
            "A version that crashes, with ROLLBACK: 'true'",
            server,
            IMAGE="team/web:crash",
            ROLLBACK="true",
        )
    image = world.service("web").image
    print(f"\n{BOLD}The portal now runs web on {image}; reports are in {REPORTS.name}/{PLAIN}")
    return 0 if (good, bad, image) == (0, 8, "team/web:1.4.2") else 1


def act(title: str, server: Server, **variables: str) -> int:
    """Run the pipe once in a process of its own; its exit code."""
    folder = REPORTS / variables["IMAGE"].rpartition(":")[2]
    environ = {
        "DUPLO_HOST": server.url,
        "DUPLO_TOKEN": server.world.token,
        "TENANT": "dev01",
        "SERVICE": "web",
        "STABLE_SECONDS": "3",
        "REPORT_DIR": str(folder),
        **variables,
    }
    print(f"\n{BOLD}{title}{PLAIN}")
    for name, value in environ.items():
        print(f"  {name}: {'***' if name == 'DUPLO_TOKEN' else value}")
    print(flush=True)
    command = [sys.executable, "-m", "pipe"]
    code = subprocess.run(command, cwd=ROOT, env=clean_environ(**environ), check=False).returncode
    outcome = json.loads((folder / "deploy.json").read_text("utf-8"))["outcome"]
    print(f"  -> exit code {code}, outcome {outcome}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
