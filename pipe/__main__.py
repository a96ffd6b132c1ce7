"""The entry point: environment in, exit code out."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from pipe.run import Wires, run


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the run as Ctrl-C does, once: what follows must be able to finish the report."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Run the pipe once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    return run(os.environ, Wires())


if __name__ == "__main__":
    sys.exit(main())
