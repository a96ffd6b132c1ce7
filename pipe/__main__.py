"""The entry point: environment in, exit code out."""

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the run as Ctrl-C does; ignore further signals so that the report can be finished."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Run the pipe once."""
    # Loaded modules are never garbage; collecting among them would delay the first request.
    gc.disable()
    from pipe.dependencies import Dependencies  # noqa: PLC0415
    from pipe.deploy_tests import isolation  # noqa: PLC0415
    from pipe.run import run  # noqa: PLC0415
    from pipe.settings.deploy_tests import secret_names  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    isolation.protect_process()
    isolation.protect_root_folder()
    environ = dict(os.environ)
    isolation.erase_variables(secret_names(environ))
    return run(environ, Dependencies())


if __name__ == "__main__":
    sys.exit(main())
