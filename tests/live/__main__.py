"""`make kubernetes`: find a cluster, run all cases on it, print one table."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import pytest

from tests.live.cluster import NoClusterError, connect

SUITE = Path(__file__).parent / "suite.py"


def main(arguments: list[str]) -> int:
    """Run the suite; return 2 where there is no cluster to run it on."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            connect(Path(folder))
        except NoClusterError as problem:
            print(problem, file=sys.stderr)
            return 2
    signal.signal(signal.SIGTERM, _interrupt)
    return int(pytest.main([str(SUITE), "-q", "-p", "no:cacheprovider", *arguments]))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that the namespace is removed."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
