"""The entry point: environment in, exit code out."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from pipe.run import Wires, run


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Let SIGTERM end a run as Ctrl-C does."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the pipe once."""
    signal.signal(signal.SIGTERM, _interrupt)
    return run(os.environ, Wires())


if __name__ == "__main__":
    sys.exit(main())
