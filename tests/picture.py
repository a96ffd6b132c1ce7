"""`make picture`: a screenshot of a failed deploy's report page, for the README."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.report.browser import Browser, find
from tests.sandbox import World
from tests.sandbox.demo import seed_demo
from tests.support.harness import Harness

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/report.png"
WIDTH = 960


def main() -> int:
    """Run the deploy on a clock that jumps and take the screenshot."""
    program = find()
    if program is None:
        print("No browser was found; install chromium (on Debian: apt-get install chromium).")
        return 1
    with tempfile.TemporaryDirectory() as folder, Browser(program) as browser:
        page = failed_deploy(Path(folder))
        browser.ask("Emulation.setScrollbarsHidden", hidden=True)
        browser.show(page, width=WIDTH, scheme="light")
        PICTURE.write_bytes(browser.photograph())
    print(f"written: {PICTURE.relative_to(ROOT)}")
    return 0


def failed_deploy(folder: Path) -> Path:
    """Deploy a version that crashes and is rolled back; return the report page."""
    harness = Harness(folder)
    harness.world = World(harness.clock)
    seed_demo(harness.world)
    harness.deploy("team/web:crash", ROLLBACK="true")
    return harness.report_dir / "deploy.html"


if __name__ == "__main__":
    sys.exit(main())
