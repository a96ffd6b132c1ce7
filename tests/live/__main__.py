"""`make kubernetes`: find a cluster, run all cases on it, print one table."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import pytest

from tests.live.cluster import NoClusterError, connect
from tests.live.images import ImageError, check

SUITE = Path(__file__).parent / "suite.py"


def main(arguments: list[str]) -> int:
    """Run the suite; return 2 where there is no cluster, or no image, to run it with."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            connect(Path(folder))
            check()
        except (NoClusterError, ImageError) as problem:
            print(problem, file=sys.stderr)
            return 2
    signal.signal(signal.SIGTERM, _interrupt)
    return int(pytest.main([str(SUITE), "-q", "-p", "no:cacheprovider", *arguments]))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that the namespace is removed."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
