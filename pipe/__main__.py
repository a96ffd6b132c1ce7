"""The entry point: environment in, exit code out."""

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the run as Ctrl-C does, once: what follows must be able to finish the report."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Run the pipe once."""
    # Modules stay until the end: looking for garbage among them is time before the first request.
    gc.disable()
    from pipe.dependencies import Dependencies  # noqa: PLC0415
    from pipe.run import run  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    return run(os.environ, Dependencies())


if __name__ == "__main__":
    sys.exit(main())
