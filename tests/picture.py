"""`make picture`: the report page of a rolled-back deploy, for the README."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pipe.dependencies import Dependencies
from pipe.run import run
from tests.report.browser import Browser, find
from tests.sandbox import World, WsgiAdapter, create_app
from tests.sandbox.demo import seed_demo
from tests.support.fake_clock import FakeClock

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/report.png"
WIDTH = 960


def main() -> int:
    """Run the deploy on a fake clock and take a screenshot of its page."""
    program = find()
    if program is None:
        print("No browser was found (chromium; on Debian: apt-get install chromium).")
        return 1
    with tempfile.TemporaryDirectory() as folder, Browser(program) as browser:
        page = play(Path(folder))
        browser.ask("Emulation.setScrollbarsHidden", hidden=True)
        browser.show(page, width=WIDTH, scheme="light")
        PICTURE.write_bytes(browser.photograph())
    print(f"written: {PICTURE.relative_to(ROOT)}")
    return 0


def play(folder: Path) -> Path:
    """Deploy a version that crashes and is rolled back, and return the page."""
    clock = FakeClock()
    world = World(clock)
    seed_demo(world)
    environ = {
        "DUPLO_HOST": "https://portal.example",
        "DUPLO_TOKEN": world.token,
        "TENANT": "dev01",
        "SERVICE": "web",
        "IMAGE": "team/web:crash",
        "ROLLBACK": "true",
        "REPORT_DIR": str(folder),
        "BITBUCKET_CLONE_DIR": str(folder),
    }
    run(environ, Dependencies(clock, WsgiAdapter(create_app(world), world.clock)))
    return folder / "deploy.html"


if __name__ == "__main__":
    sys.exit(main())
